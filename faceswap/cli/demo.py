"""`faceswap demo`: the whole job on embedded input, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, examples("faceswap demo", "faceswap demo --out ~/faceswap_demo --budget 5m"))
    def demo(
        run: Run,
        out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("faceswap_demo"),
        budget: Annotated[str, typer.Option(help="Training time: 30s, 90s, 10m. Longer is sharper.")] = "150s",
    ) -> None:
        """Make two clips of an astronaut and her android, train on them, swap, and show the result."""
        from faceswap.demo.run import run_demo
        from faceswap.device import choose_compute
        from faceswap.heap import keep_freed_memory

        if choose_compute(run.device).device.type == "cpu":
            keep_freed_memory()
        report = run_demo(
            out,
            budget=budget,
            device=run.device,
            seed=run.seed or 0,
            on_progress=run.console.on_progress,
            on_note=run.console.note,
        )
        run.console.result(report.to_text())
