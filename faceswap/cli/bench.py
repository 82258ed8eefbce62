"""`faceswap bench`: how fast this machine converts, trains and finds faces, everything included."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples

_QUICK_FRAMES = 48


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        examples(
            "faceswap bench",
            "faceswap bench convert --quick",
            "faceswap bench convert --sizes 128,256 --pictures 1080 --json > bench.json",
        ),
    )
    def bench(
        run: Run,
        what: Annotated[str, typer.Argument(help="convert, train, faces, or all.")] = "all",
        frames: Annotated[int, typer.Option(min=8, help="Length of each generated clip.")] = 240,
        steps: Annotated[int, typer.Option(min=40, help="Training steps.")] = 60,
        recipe: Annotated[
            str | None,
            typer.Option(help="Recipe of the network that is timed; default: train quick-64, convert by size."),
        ] = None,
        sizes: Annotated[
            str | None,
            typer.Option(help="convert: sizes of the face, px, of 64,128,256,512; default: what suits the device."),
        ] = None,
        pictures: Annotated[str | None, typer.Option(help="convert: lines of the picture, of 720,1080,2160.")] = None,
        batches: Annotated[
            str | None, typer.Option(help="convert: faces that go through the network together.")
        ] = None,
        quick: Annotated[bool, typer.Option("--quick", help="One small case of 48 frames; half a minute.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON line.")] = False,
    ) -> None:
        """Time conversion, training and finding faces on generated footage, cold and with everything included."""
        from faceswap.bench.convert import ConvertCases
        from faceswap.bench.run import run_bench
        from faceswap.device import choose_compute

        cases = ConvertCases.of(
            choose_compute(run.device), sizes=sizes, lines=pictures, batches=batches, recipe=recipe, is_quick=quick
        )
        result = run_bench(
            what,
            num_frames=min(frames, _QUICK_FRAMES) if quick else frames,
            num_steps=steps,
            recipe=recipe or "quick-64",
            cases=cases,
            device=run.device,
            seed=run.seed or 0,
            on_note=run.console.note,
        )
        if as_json:
            print(json.dumps(result))
            return
        for name, figures in result["results"].items():
            for part in figures.pop("cases", [figures]):
                run.console.result(f"{name}:")
                for key, value in part.items():
                    run.console.result(f"  {key}: {value}")
