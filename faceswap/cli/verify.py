"""`faceswap verify`: does a file carry our marks?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, examples("faceswap verify swapped.mp4", "faceswap verify swapped.mp4 --json"))
    def verify(
        run: Run,
        file: Annotated[Path, typer.Argument(help="A clip.")],
        as_json: Annotated[bool, typer.Option("--json", help="One JSON line on stdout.")] = False,
    ) -> None:
        """Say whether a clip carries faceswap's marks; exit code 0 = yes, 1 = no."""
        from faceswap.provenance.verify import verify_clip

        run.console.is_json = as_json
        report = verify_clip(file)
        layers = {"container": report.container, "sei": report.sei}
        run.console.event(
            "verify",
            path=str(file),
            is_marked=report.is_marked,
            agrees=report.agrees,
            layers={name: asdict(mark) if mark else None for name, mark in layers.items()},
        )
        mark = report.container or report.sei
        where = " and ".join(name for name, found in layers.items() if found)
        if mark is None:
            run.console.result(f"{file}: no mark of faceswap found; that does not prove that the clip is unaltered")
            raise typer.Exit(1)
        # The file's own words may be anything: they are shown escaped.
        run.console.result(
            f"{file}: marked as AI-modified by faceswap {mark.version!a}, model {mark.model_sha256!a}; "
            f"found in: {where}"
        )
        if not report.agrees:
            run.console.result(f"{file}: the two marks differ; one of them comes from another file")
