"""`faceswap faceset`: look at a faceset, sort crops out, take them back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli import faceset_make, faceset_sort_out  # noqa: F401 - they register their commands
from faceswap.cli.command import Run, command, examples
from faceswap.cli.faceset_options import Encoder, Json, Place, app, group

if TYPE_CHECKING:
    from faceswap.facesets.schema import FaceRecord

__all__ = ["app"]


@command(app, examples("faceswap faceset show facesets/data-tng", "faceswap faceset show facesets/data-tng --json"))
def show(run: Run, faceset: Place, as_json: Json = False) -> None:
    """Say what a faceset holds: crops, clips, what was sorted out and why, and the log."""
    from faceswap.facesets import actions
    from faceswap.facesets.store import FaceSet

    run.console.is_json = as_json
    store = FaceSet.open(faceset)
    records = store.records(with_dropped=True)
    kept = [record for record in records if not record.dropped]
    crop = store.crop
    run.console.result(
        f"{store.actor}: {len(kept)} crops of {crop.size} px ({crop.coverage}), {len(records)} with those sorted out"
    )
    run.console.event(
        "faceset", actor=store.actor, kept=len(kept), all=len(records), size=crop.size, coverage=crop.coverage
    )
    of_clip, all_of_clip = Counter(r.clip for r in kept), Counter(r.clip for r in records)
    for clip in store.clips():
        eras = sorted({r.era for r in records if r.clip == clip.fingerprint and r.era})
        text = f"  {clip.fingerprint[:8]}  {of_clip[clip.fingerprint]:>6} of {all_of_clip[clip.fingerprint]:<6} {clip.path}"
        run.console.result(text + (f"  [{', '.join(eras)}]" if eras else ""))
        values = {
            "path": clip.path,
            "kept": of_clip[clip.fingerprint],
            "all": all_of_clip[clip.fingerprint],
            "eras": eras,
        }
        run.console.event("clip", fingerprint=clip.fingerprint, **values)
    for reason, count in Counter(_kind_of(r.dropped) for r in records if r.dropped).most_common():
        run.console.result(f"  sorted out: {count} ({reason})")
        run.console.event("dropped", reason=reason, count=count)
    for action in actions.log(store)[:10]:
        state = ", undone" if action.is_undone else ""
        run.console.result(f"  {action.time}  {action.what}: {action.num_changes} crops{state}")
        run.console.event(
            "action", time=action.time, what=action.what, crops=action.num_changes, undone=action.is_undone
        )


def _kind_of(reason: str) -> str:
    """Return a reason without its figures: "like faces/x.jpg" -> "like another"."""
    return "like another" if reason.startswith("like ") else " ".join(w for w in reason.split() if w.isalpha())


@command(
    app, examples("faceswap faceset measure facesets/data-tng", "faceswap faceset measure facesets/data-tng --all")
)
def measure(
    run: Run,
    faceset: Place,
    everything: Annotated[bool, typer.Option("--all", help="Measure all anew, not only what is missing.")] = False,
) -> None:
    """Measure sharpness, light, pose and occlusion of crops that have no figures yet; other commands do it by themselves."""
    from faceswap.errors import PartialResultError
    from faceswap.facesets.measure import measure_faceset
    from faceswap.facesets.store import FaceSet

    done = measure_faceset(FaceSet.open(faceset), everything=everything, on_progress=run.console.on_progress)
    run.console.result(f"{done.num_measured} crops measured")
    for file in done.unreadable:
        run.console.note(f"{faceset / file} is missing or damaged")
    if done.unreadable:
        raise PartialResultError(f"{len(done.unreadable)} crops of {faceset} are missing or damaged (named above)")


@command(
    app,
    examples(
        "faceswap faceset sort facesets/data-tng --by sharpness -o by-sharpness",
        "faceswap faceset sort facesets/data-tng --like portrait.jpg --limit 50 -o like-portrait",
        "faceswap faceset sort facesets/data-tng --by cluster --id-encoder encoder.onnx -o people",
    ),
)
def sort(
    run: Run,
    faceset: Place,
    by: Annotated[
        str,
        typer.Option(
            help="sharpness, size, yaw, pitch, roll, brightness, contrast, balance, hue, chroma, occlusion, score, "
            "cluster (person) or time."
        ),
    ] = "sharpness",
    like: Annotated[Path | None, typer.Option(help="A picture of a face: sort by how much crops look like it.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="New folder of numbered crops to look at.")
    ] = None,
    is_reverse: Annotated[bool, typer.Option("--reverse", help="Highest first.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    is_copy: Annotated[bool, typer.Option("--copy", help="Copies instead of hard links.")] = False,
    with_dropped: Annotated[bool, typer.Option("--dropped", help="Those that were sorted out, too.")] = False,
    id_encoder: Encoder = None,
    is_fresh: Annotated[
        bool, typer.Option("--regroup", help="With --by cluster: group people anew; their numbers change.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put crops in an order: as a folder to look at (nothing is moved), or as a list.

    Delete pictures in that folder, then `faceswap faceset trash FACESET --missing-from FOLDER` sorts the same ones out.
    """
    from faceswap.facesets import choose, looking
    from faceswap.facesets.measure import measured_records
    from faceswap.facesets.store import FaceSet

    run.console.is_json = as_json
    store = FaceSet.open(faceset)
    if by == "cluster" and like is None:
        group(run, store, id_encoder, is_fresh=is_fresh)
    records = measured_records(store, with_dropped=with_dropped, on_progress=run.console.on_progress)
    if like is not None:
        from faceswap.facesets.likeness import look_of_picture

        pairs = choose.by_likeness(records, look_of_picture(like, run.device))
        named = [(f"{distance:.1f}", record) for distance, record in (pairs[::-1] if is_reverse else pairs)]
    else:
        named = [(_label(r, by), r) for r in choose.ordered(records, by, is_reverse=is_reverse)]
    named = named[:limit]
    if output is not None:
        looking.write_view(store, named, output, is_copy=is_copy)
        run.console.result(f"{len(named)} crops in {output}")
        return
    for text, record in named:
        run.console.result(f"{text}\t{record.file}")
        run.console.event("crop", value=text, file=record.file)


def _label(record: FaceRecord, by: str) -> str:
    from faceswap.facesets.choose import value_of

    if by == "time":
        return f"{record.clip[:8]}-{record.frame}"
    if by == "cluster":
        return "unknown" if record.cluster is None else f"person{record.cluster}"
    return f"{value_of(record, by):.4g}"
