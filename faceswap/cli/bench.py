"""`faceswap bench`: how fast this machine converts, trains and finds faces, everything included."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, examples("faceswap bench", "faceswap bench convert --frames 300 --json > bench.json"))
    def bench(
        run: Run,
        what: Annotated[str, typer.Argument(help="convert, train, faces, or all.")] = "all",
        frames: Annotated[int, typer.Option(min=8, help="Length of the generated 1280x720 clip.")] = 240,
        steps: Annotated[int, typer.Option(min=40, help="Training steps.")] = 60,
        recipe: Annotated[str, typer.Option(help="Recipe of the network that is timed.")] = "quick-64",
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON line.")] = False,
    ) -> None:
        """Time conversion, training and finding faces on generated footage, cold and with everything included."""
        from faceswap.bench.run import run_bench

        result = run_bench(
            what,
            num_frames=frames,
            num_steps=steps,
            recipe=recipe,
            device=run.device,
            seed=run.seed or 0,
            on_note=run.console.note,
        )
        if as_json:
            print(json.dumps(result))
            return
        for name, figures in result["results"].items():
            run.console.result(f"{name}:")
            for key, value in figures.items():
                run.console.result(f"  {key}: {value}")
