"""`faceswap verify`: what does a file say about itself?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faceswap.cli.command import Run, command, examples

if TYPE_CHECKING:
    from faceswap.provenance.verify import FolderReport, VerifyReport

_MEANINGS = {
    "intact": "it is as it was made",
    "altered": "it is not as it was signed",
    "stripped": "its signed manifest is gone: another program wrote this file",
    "unmarked": "no mark of faceswap found; that does not prove that it is unaltered",
}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app, examples("faceswap verify swapped.mp4", "faceswap verify swapped.mp4 --json", "faceswap verify frames/")
    )
    def verify(
        run: Run,
        file: Annotated[Path, typer.Argument(help="A clip, a picture, or a folder of either.")],
        quick: Annotated[bool, typer.Option("--quick", help="Do not look for a watermark in the pixels.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each file on stdout.")] = False,
    ) -> None:
        """Say whether a file is ours, and intact, altered or stripped of its signature; nothing is fetched.

        Exit code 0 = intact, 4 = altered or stripped, 1 = unmarked.
        """
        from faceswap.provenance.verify import verify_clip, verify_folder
        from faceswap.provenance.watermark_layer import find_watermark

        run.console.is_json = as_json
        if file.is_dir():
            report = verify_folder(file)
            _say_folder(run, report)
            code = 0 if report.is_whole else 4 if report.is_marked else 1
        else:
            found = verify_clip(file, find_watermark=None if quick else find_watermark)
            _say(run, found)
            code = {"intact": 0, "unmarked": 1}.get(found.verdict, 4)
        if code:
            raise typer.Exit(code)


def _say(run: Run, report: VerifyReport) -> None:
    run.console.event("verify", **_values(report))
    # The file's own words may be anything: they are shown escaped.
    run.console.result(f"{report.path}: {report.verdict}: {_MEANINGS[report.verdict]}")
    for name, text in _rows(report):
        run.console.result(f"  {name:<10}{text}")


def _values(report: VerifyReport) -> dict[str, Any]:
    return {
        "path": str(report.path),
        "verdict": report.verdict,
        "is_marked": report.is_marked,
        "agrees": report.agrees,
        "layers": {name: asdict(mark) if mark else None for name, mark in report.layers.items()},
        "manifest": asdict(report.manifest) if report.manifest else None,
        "comment_id": report.sentence,
        "watermark": asdict(report.watermark) if report.watermark else None,
        "is_registered": report.is_registered,
        "registry": [asdict(entry) for entry in report.entries],
        "consents": [record.record_id for record in report.records],
    }


def _rows(report: VerifyReport) -> list[tuple[str, str]]:
    """Return what is known, for people."""
    mark, manifest = report.mark, report.manifest
    entry = report.entries[0] if report.entries else None
    rows: list[tuple[str, str]] = []
    if mark is not None:
        rows.append(("what", f"marked as AI-modified by faceswap {mark.version!a}"))
    elif manifest is not None:
        rows.append(("what", f"made or changed with {manifest.tool!a}"))
    elif report.watermark is not None or report.sentence is not None:
        number = report.watermark.mark_id if report.watermark else report.sentence
        rows.append(("what", f"says that faces were replaced by faceswap{f', id {number!a}' if number else ''}"))
    if manifest is not None and manifest.signer:  # one that is damaged does not say who
        trust = "" if manifest.is_trusted else ", not by an authority that is known here"
        rows.append(("who", f"signed by {manifest.signer!a}{trust}"))
        rows.append(("when", f"{manifest.when!a}{' (dated by a time service)' if manifest.is_dated else ''}"))
        if manifest.parent:
            rows.append(("source", ascii(manifest.parent)))
    elif entry is not None:
        rows.append(("when", f"{entry.made_at} (registry)"))
    models = mark.models if mark else manifest.models if manifest else entry.models.split(",") if entry else ()
    rows += [("model", ascii(model)) for model in models]
    known = {sha256: record.record_id for record in report.records for sha256 in record.past_sha256s}
    consents = mark.consents if mark else manifest.consents if manifest else ()
    if not consents and entry is not None and entry.consent_ids:
        rows.append(("consent", f"{entry.consent_ids!a} (registry)"))
    rows += [("consent", f"{known.get(sha256, 'not on this machine')} (SHA-256 {sha256!a})") for sha256 in consents]
    if entry is not None:
        same = "these very bytes" if report.is_registered else "the id"
        rows.append(("registry", f"{same} known: {entry.path!a} from {entry.source!a}, face of {entry.identities!a}"))
    rows.append(("layers", _layers(report)))
    if manifest is not None and manifest.problems:
        rows.append(("problem", ascii(", ".join(manifest.problems))))
    if not report.agrees:
        rows.append(("problem", "the marks differ; one of them comes from another file"))
    return rows


def _layers(report: VerifyReport) -> str:
    manifest = report.manifest
    found = [f"manifest ({manifest.place}{'' if manifest.fits else ', does not fit'})"] if manifest else []
    found += [name for name, mark in report.layers.items() if mark]
    missing = [*([] if manifest else ["manifest"]), *(name for name, mark in report.layers.items() if not mark)]
    found += ["comment"] if report.sentence is not None else []
    if report.watermark is not None:
        found.append(
            f"watermark (chance of a false alarm at most {max(report.watermark.false_positive_rate, 1e-30):.0e})"
        )
    elif report.has_looked:
        missing.append("watermark")
    return f"{', '.join(found) or 'none'}" + (f"; missing: {', '.join(missing)}" if missing else "")


def _say_folder(run: Run, report: FolderReport) -> None:
    folder = report.path
    for clip in report.clips:
        _say(run, clip)
    run.console.event(
        "verify",
        path=str(folder),
        is_marked=report.is_marked,
        is_whole=report.is_whole,
        agrees=report.agrees,
        pictures=report.num_pictures,
        unmarked=[path.name for path in report.unmarked],
        stripped=[path.name for path in report.stripped],
        altered=[path.name for path in report.altered],
        clips={clip.path.name: clip.verdict for clip in report.clips},
    )
    if report.num_pictures:
        num_marked = report.num_pictures - len(report.unmarked)
        run.console.result(
            f"{folder}: {num_marked} of {report.num_pictures} pictures are marked as AI-modified by faceswap"
        )
    if not report.agrees:
        run.console.result(
            f"{folder}: the pictures bear {len(report.marks)} different marks; they are not of one conversion"
        )
    for words, files in (
        ("no mark in", report.unmarked),
        ("no signature in", report.stripped),
        ("not as signed:", report.altered),
    ):
        if files:
            run.console.result(f"{folder}: {words} {_some(files)}")


def _some(files: Sequence[Path]) -> str:
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0].name!a}{others}"
