"""`faceswap faceset`: the commands that sort crops out and take them back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.faceset_options import RANGE, DryRun, Encoder, Json, Place, app, group

if TYPE_CHECKING:
    from faceswap.facesets.store import FaceSet


@command(
    app,
    examples(
        "faceswap faceset filter facesets/data-tng --yaw -30:30 --min-sharpness 0.3 --dry-run",
        "faceswap faceset filter facesets/data-tng --drop-blurriest 10% --drop-darkest 2%",
        "faceswap faceset filter facesets/data-tng --people 0",
    ),
)
def filter(  # the command's name
    run: Run,
    faceset: Place,
    sharpness: Annotated[str | None, typer.Option(help=f"Keep this range, {RANGE}")] = None,
    size: Annotated[str | None, typer.Option(help="Height of the face in the frame, px.")] = None,
    yaw: Annotated[str | None, typer.Option(help="Degrees; positive looks to the right of the picture.")] = None,
    pitch: Annotated[str | None, typer.Option(help="Degrees; positive looks down.")] = None,
    roll: Annotated[str | None, typer.Option(help="Degrees; positive leans to the right of the picture.")] = None,
    brightness: Annotated[str | None, typer.Option(help="Mean grey value of the face, 0 to 255.")] = None,
    contrast: Annotated[str | None, typer.Option(help="Standard deviation of the face's grey values.")] = None,
    balance: Annotated[str | None, typer.Option(help="Light on the right against the left, -1 to 1.")] = None,
    hue: Annotated[str | None, typer.Option(help="Direction of the face's colour in Lab, degrees.")] = None,
    chroma: Annotated[str | None, typer.Option(help="Its distance from grey.")] = None,
    occlusion: Annotated[str | None, typer.Option(help="Share of the face that is not its skin, 0 to 1.")] = None,
    score: Annotated[str | None, typer.Option(help="Confidence of the detector, 0 to 1.")] = None,
    min_sharpness: Annotated[float | None, typer.Option(help="Short for --sharpness N:")] = None,
    min_size: Annotated[float | None, typer.Option(help="Short for --size N:")] = None,
    max_occlusion: Annotated[float | None, typer.Option(help="Short for --occlusion :N")] = None,
    drop_blurriest: Annotated[str | None, typer.Option(help="Sort out a share, like 10%.")] = None,
    drop_smallest: Annotated[str | None, typer.Option(help="The same by size.")] = None,
    drop_darkest: Annotated[str | None, typer.Option(help="The same by brightness.")] = None,
    drop_covered: Annotated[str | None, typer.Option(help="The same by occlusion, highest first.")] = None,
    people: Annotated[
        str | None, typer.Option(help="Keep only these people (0 = the most frequent), like 0,2.")
    ] = None,
    outliers: Annotated[bool, typer.Option("--outliers", help="Sort out crops that may show somebody else.")] = False,
    id_encoder: Encoder = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Sort out crops whose figures lie outside ranges; `faceset restore` takes them back."""
    from faceswap.facesets import choose
    from faceswap.facesets.measure import measured_records
    from faceswap.facesets.store import FaceSet

    ranges = {
        "sharpness": sharpness,
        "size": size,
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "brightness": brightness,
        "contrast": contrast,
        "balance": balance,
        "hue": hue,
        "chroma": chroma,
        "occlusion": occlusion,
        "score": score,
    }
    shorts = (("sharpness", min_sharpness, "{}:"), ("size", min_size, "{}:"), ("occlusion", max_occlusion, ":{}"))
    ranges |= {key: form.format(value) for key, value, form in shorts if value is not None}
    shares = (
        ("sharpness", drop_blurriest, False),
        ("size", drop_smallest, False),
        ("brightness", drop_darkest, False),
        ("occlusion", drop_covered, True),
    )
    store = FaceSet.open(faceset)
    reasons: dict[str, str] = {}
    if people is not None or outliers:
        proposed = group(run, store, id_encoder)
        reasons |= proposed if outliers else {}
    records = measured_records(store, on_progress=run.console.on_progress)
    reasons |= choose.outside(records, {key: text for key, text in ranges.items() if text is not None})
    for key, share, is_high in shares:
        if share is not None:
            reasons |= choose.extreme(records, key, share, is_high=is_high)
    if people is not None:
        wanted = _numbers(people)
        reasons |= {r.file: f"person {r.cluster}" for r in records if r.cluster not in wanted}
    _sort_out(run, store, reasons, len(records), "filter", dry_run=dry_run, as_json=as_json)


def _numbers(text: str) -> set[int]:
    from faceswap.errors import UsageError

    if not all(part.strip().isdigit() for part in text.split(",")):
        raise UsageError(f"--people {text!r} is not a list of numbers; write it like 0,2")
    return {int(part) for part in text.split(",")}


def _sort_out(
    run: Run, store: FaceSet, reasons: dict[str, str], total: int, what: str, *, dry_run: bool, as_json: bool
) -> None:
    """Drop and say so; with `dry_run` only say so."""
    from faceswap.facesets import actions

    run.console.is_json = as_json
    for file, reason in reasons.items():
        run.console.event("drop", file=file, reason=reason)
        if run.console.verbose or dry_run:
            run.console.note(f"{file}: {reason}")
    if dry_run:
        run.console.result(f"{len(reasons)} of {total} crops would be sorted out; {total - len(reasons)} would stay")
        return
    count = actions.drop(store, reasons, what)
    run.console.result(f"{count} of {total} crops sorted out, {total - count} stay; `faceset restore` takes them back")


@command(
    app,
    examples(
        "faceswap faceset dedupe facesets/data-tng --dry-run", "faceswap faceset dedupe facesets/data-tng --distance 5"
    ),
)
def dedupe(
    run: Run,
    faceset: Place,
    distance: Annotated[
        float | None, typer.Option(min=0, help="How unlike two crops may look; more sorts out more.")
    ] = None,
    near: Annotated[
        int | None, typer.Option(min=1, help="Frames of one track within which crops are compared.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Sort out crops that show the same as a better one: neighbouring frames of a still face, copies of a clip."""
    from faceswap.facesets import choose
    from faceswap.facesets.measure import measured_records
    from faceswap.facesets.store import FaceSet

    store = FaceSet.open(faceset)
    records = measured_records(store, on_progress=run.console.on_progress)
    limit = choose.LOOK_DISTANCE if distance is None else distance
    found = choose.duplicates(records, distance=limit, near_frames=near or choose.NEAR_FRAMES)
    _sort_out(run, store, found, len(records), "dedupe", dry_run=dry_run, as_json=as_json)


@command(
    app,
    examples("faceswap faceset best facesets/data-tng 2000", "faceswap faceset best facesets/data-tng 500 --dry-run"),
)
def best(
    run: Run,
    faceset: Place,
    count: Annotated[int, typer.Argument(min=1, help="How many crops stay.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Keep so many crops, spread over all head angles, the sharpest and least covered first; sort the others out."""
    from faceswap.facesets import choose
    from faceswap.facesets.measure import measured_records
    from faceswap.facesets.store import FaceSet

    store = FaceSet.open(faceset)
    records = measured_records(store, on_progress=run.console.on_progress)
    chosen = {record.file for record in choose.best(records, count)}
    reasons = {r.file: f"not among the best {count}" for r in records if r.file not in chosen}
    _sort_out(run, store, reasons, len(records), f"best {count}", dry_run=dry_run, as_json=as_json)


@command(
    app,
    examples(
        "faceswap faceset trash facesets/data-tng 3f2a91bc-000012-0.jpg 3f2a91bc:100-220",
        "faceswap faceset trash facesets/data-tng --missing-from by-sharpness",
    ),
)
def trash(
    run: Run,
    faceset: Place,
    crops: Annotated[
        list[str] | None, typer.Argument(help="Files, or frames of a clip as FINGERPRINT:FIRST-LAST (`faceset show`).")
    ] = None,
    missing_from: Annotated[
        Path | None, typer.Option(help="Folder made by `faceset sort -o`: what was deleted there is sorted out.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "by hand",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Sort out crops chosen by hand. Nothing is deleted; `faceset restore` takes them back."""
    from faceswap.errors import UsageError
    from faceswap.facesets.looking import missing_from_view
    from faceswap.facesets.naming import named_files
    from faceswap.facesets.store import FaceSet

    if not crops and missing_from is None:
        raise UsageError("name crops to sort out, or a folder with --missing-from")
    store = FaceSet.open(faceset)
    files = named_files(store, crops or [])
    if missing_from is not None:
        files += missing_from_view(store, missing_from)
    reasons = dict.fromkeys(files, reason.strip() or "by hand")
    _sort_out(run, store, reasons, len(store.records()), "trash", dry_run=dry_run, as_json=as_json)


@command(
    app,
    examples(
        "faceswap faceset restore facesets/data-tng",
        "faceswap faceset restore facesets/data-tng --all",
        "faceswap faceset restore facesets/data-tng 3f2a91bc:100-220",
    ),
)
def restore(
    run: Run,
    faceset: Place,
    crops: Annotated[list[str] | None, typer.Argument(help="Crops to take back, as for `faceset trash`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Take back all that was sorted out.")] = False,
) -> None:
    """Undo the last action; with --all or names, take crops back."""
    from faceswap.facesets import actions
    from faceswap.facesets.naming import named_files
    from faceswap.facesets.store import FaceSet

    store = FaceSet.open(faceset)
    if crops or everything:
        count = actions.restore(store, None if everything else named_files(store, crops or []))
        run.console.result(f"{count} crops taken back")
        return
    last, count = actions.undo_last(store)
    run.console.result(f"{last.what} of {last.time} undone: {count} crops changed")


@command(
    app,
    examples(
        'faceswap faceset label facesets/data-tng "season 1" 3f2a91bc',
        'faceswap faceset label facesets/data-tng "" 3f2a91bc:0-100',
    ),
)
def label(
    run: Run,
    faceset: Place,
    era: Annotated[str, typer.Argument(help="The label: a season, a year, a camera; empty takes it off.")],
    crops: Annotated[
        list[str] | None, typer.Argument(help="Clips or crops, as for `faceset trash`; none = all.")
    ] = None,
) -> None:
    """Label crops with where they come from, for `split --by era` and the report."""
    from faceswap.facesets.naming import named_files
    from faceswap.facesets.store import FaceSet

    store = FaceSet.open(faceset)
    files = named_files(store, crops) if crops else [record.file for record in store.records(with_dropped=True)]
    store.set_era(files, era.strip())
    run.console.result(f"{len(files)} crops labelled {era.strip()!r}")
