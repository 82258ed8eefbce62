"""`faceswap verify`: does a file carry our marks?"""

from __future__ import annotations

from collections.abc import Sequence
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
        file: Annotated[Path, typer.Argument(help="A clip, a picture, or a folder of pictures.")],
        as_json: Annotated[bool, typer.Option("--json", help="One JSON line on stdout.")] = False,
    ) -> None:
        """Say whether a clip, or each picture of a folder, carries faceswap's marks; exit code 0 = yes, 1 = no."""
        from faceswap.provenance.verify import verify_clip

        run.console.is_json = as_json
        if file.is_dir():
            _verify_folder(run, file)
            return
        report = verify_clip(file)
        layers = report.layers
        run.console.event(
            "verify",
            path=str(file),
            is_marked=report.is_marked,
            agrees=report.agrees,
            layers={name: asdict(mark) if mark else None for name, mark in layers.items()},
        )
        mark = next((found for found in layers.values() if found), None)
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


def _verify_folder(run: Run, folder: Path) -> None:
    from faceswap.provenance.verify import verify_folder

    report = verify_folder(folder)
    run.console.event(
        "verify",
        path=str(folder),
        is_marked=report.is_marked,
        agrees=report.agrees,
        pictures=report.num_pictures,
        unmarked=[path.name for path in report.unmarked],
    )
    num_marked = report.num_pictures - len(report.unmarked)
    run.console.result(
        f"{folder}: {num_marked} of {report.num_pictures} pictures are marked as AI-modified by faceswap"
    )
    if not report.agrees:
        run.console.result(
            f"{folder}: the pictures bear {len(report.marks)} different marks; they are not of one conversion"
        )
    if not report.is_marked:
        run.console.result(f"{folder}: no mark in {_some(report.unmarked)}")
        raise typer.Exit(1)


def _some(files: Sequence[Path]) -> str:
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0].name!a}{others}"
