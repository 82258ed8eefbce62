"""Facesets out of facesets: several of one actor merged, one split into parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from faceswap import geometry, resample
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.facesets.crops import JPEG_QUALITY
from faceswap.facesets.looking import link_or_copy
from faceswap.facesets.measure import measured_records
from faceswap.facesets.schema import FaceRecord, check_actor
from faceswap.facesets.store import ClipRow, FaceSet
from faceswap.files import disk_errors_named, folder_lock, sync_file, sync_folder
from faceswap.media.picture_depth import read_deep_picture
from faceswap.media.pictures import encode_picture
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import CropSpec

SplitBy = Literal["clip", "era", "yaw", "cluster", "shot"]
SPLITS: tuple[str, ...] = get_args(SplitBy)


@dataclass(frozen=True, slots=True)
class Merged:
    """What `merge` did."""

    faceset: Path
    num_faces: int
    """Added, dropped ones included."""
    skipped: tuple[str, ...]
    """Clips whose crops were all there already."""
    recut: tuple[str, ...]
    """Facesets whose crops had to be cut anew."""


def merge(
    sets: Sequence[FaceSet],
    output: Path,
    *,
    actor: str | None = None,
    crop: CropSpec | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Merged:
    """Add the crops of facesets to a new or existing one, with all that is known of them.

    Equal crops are linked or copied; others are cut anew out of what is stored, which must hold the crop.

    Args:
        actor: None = that of all of them. crop: None = that of the first.

    Raises:
        UsageError: different actors and none named. CropMismatchError: a faceset does not hold the crop.
    """
    actors = sorted({faceset.actor for faceset in sets})
    if actor is not None:
        check_actor(actor)
    elif len(actors) > 1:
        raise UsageError(f"the facesets are of {', '.join(actors)}; say with --actor whose the result is")
    crop = crop or sets[0].crop
    for faceset in sets:
        geometry.patch_from_patch(crop, faceset.crop)
        if faceset.path.resolve() == output.resolve():
            raise UsageError(f"{output} is one of the facesets to merge; name another folder for the result")
    result = FaceSet.create(output, actor or actors[0], crop)
    total = sum(len(faceset.records(with_dropped=True)) for faceset in sets)
    num_faces, num_seen, skipped = 0, 0, []
    with folder_lock(output, "merge"), disk_errors_named(output):
        there = {record.file for record in result.records(with_dropped=True)}
        for faceset in sets:
            result.add_consents(faceset.consents())
            clips = {clip.fingerprint: clip for clip in faceset.clips()}
            for fingerprint, records in _by_clip(faceset.records(with_dropped=True)).items():
                clip = clips[fingerprint]
                num_seen += len(records)
                new = [record for record in records if record.file not in there]
                if not new:
                    skipped.append(clip.path)
                    continue
                num_faces += add_records(result, faceset, clip, new)
                there |= {record.file for record in new}
                on_progress(Progress("copy crops", num_seen, total, unit="faces"))
    recut = tuple(str(faceset.path) for faceset in sets if faceset.crop != crop)
    return Merged(output, num_faces, tuple(skipped), recut)


def split(
    faceset: FaceSet,
    folder: Path,
    by: SplitBy,
    *,
    edges: Sequence[float] = (-20.0, 20.0),
    on_progress: OnProgress = ignore_progress,
) -> list[FaceSet]:
    """Make a faceset of each part; crops that were sorted out stay behind.

    Clusters and eras are other people or looks and get actor names of their own; parts by clip, shot or yaw keep the name.

    Args:
        edges: degrees at which "yaw" parts.

    Raises:
        UsageError: an unknown criterion, no groups yet, or a part that is there already.
    """
    if by not in SPLITS:
        raise UsageError(f"--by {by!r} is unknown; allowed: {', '.join(SPLITS)}")
    records = measured_records(faceset, on_progress=on_progress)
    if by == "cluster" and all(record.cluster is None for record in records):
        raise UsageError(
            f"{faceset.path} has no groups yet; run `faceswap faceset sort {faceset.path} --by cluster` first"
        )
    clips = {clip.fingerprint: clip for clip in faceset.clips()}
    name_of = _part_names(by, clips, edges)
    parts: dict[str, list[FaceRecord]] = defaultdict(list)
    for record in records:
        parts[name_of(record)].append(record)
    places = {name: folder / _folder_name(f"{faceset.actor}-{name}") for name in parts}
    if taken := [place for place in places.values() if place.exists()]:
        raise UsageError(f"{taken[0]} is there already; name another folder for the parts")
    result = []
    for name, members in sorted(parts.items()):
        actor = f"{faceset.actor}-{name}" if by in ("cluster", "era") else faceset.actor
        part = FaceSet.create(places[name], actor, faceset.crop)
        part.add_consents(faceset.consents())
        with folder_lock(part.path, "split"), disk_errors_named(part.path):
            for fingerprint, of_clip in _by_clip(members).items():
                add_records(part, faceset, clips[fingerprint], of_clip)
        result.append(part)
    return result


def add_records(result: FaceSet, origin: FaceSet, clip: ClipRow, records: Sequence[FaceRecord]) -> int:
    """Copy the crops of one clip into another faceset, cut anew where its crops differ; files first, then rows."""
    added = [_with_file(result, origin, record) for record in records]
    for record in added:
        sync_file(result.path / record.file)
    sync_folder(result.path / "faces")
    result.add_clip(clip.fingerprint, clip.path, clip.every, clip.num_frames, added, is_addition=True)
    return len(added)


def _with_file(result: FaceSet, origin: FaceSet, record: FaceRecord) -> FaceRecord:
    path = result.path / record.file
    path.unlink(missing_ok=True)  # of an attempt that was stopped; no row names it
    if result.crop == origin.crop:
        link_or_copy(origin.path / record.file, path, False)
        return replace(record, cluster=None)
    matrix = geometry.patch_from_patch(result.crop, origin.crop)
    picture = read_deep_picture(origin.path / record.file)
    if picture is None:
        raise UnsupportedInputError(f"{origin.path / record.file} is missing or damaged; `faceset measure` lists such")
    size = (result.crop.size, result.crop.size)
    cut = resample.warp(picture, matrix, size)
    path.write_bytes(encode_picture(path.suffix, cut, jpeg_quality=JPEG_QUALITY))
    return replace(
        record,
        landmarks=geometry.apply(matrix, record.landmarks),
        patch_from_frame=geometry.compose(matrix, record.patch_from_frame),
        cluster=None,
        figures=None,
    )


def _by_clip(records: Sequence[FaceRecord]) -> dict[str, list[FaceRecord]]:
    result: dict[str, list[FaceRecord]] = defaultdict(list)
    for record in records:
        result[record.clip].append(record)
    return result


def _part_names(by: str, clips: dict[str, ClipRow], edges: Sequence[float]) -> Callable[[FaceRecord], str]:
    """Return what names a crop's part."""
    bounds = sorted(edges)
    names = ["below", *(f"from{edge:g}" for edge in bounds)]

    def of_yaw(record: FaceRecord) -> str:
        assert record.figures is not None, "measured records only"
        return f"yaw-{names[int(np.searchsorted(bounds, record.figures.yaw, side='right'))]}"

    return {
        "clip": lambda record: f"{Path(clips[record.clip].path).stem}-{record.clip[:8]}",
        "shot": lambda record: f"{record.clip[:8]}-shot{record.shot}",
        "era": lambda record: record.era or "no-era",
        "cluster": lambda record: "unknown" if record.cluster is None else f"person{record.cluster}",
        "yaw": of_yaw,
    }[by]


def _folder_name(text: str) -> str:
    return re.sub(r"[^\w.+-]", "_", text)[:120]
