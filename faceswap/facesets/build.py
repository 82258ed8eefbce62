"""Clips and pictures in, a faceset out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import FaceswapError, InterruptedRunError, NoFaceError, ResourceError, UsageError
from faceswap.faces.align import TEMPLATE, patch_from_frame
from faceswap.faces.analyse import analyse, clip_fingerprint
from faceswap.faces.base import Detector
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.faces.views import render_view
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.media.pictures import write_picture
from faceswap.media.reader import Reader, open_clip
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import Coverage, CropSpec, Face, Frame

DEFAULT_MARGIN = 0.12
"""Room around the coverage, so that training can turn and shift crops without meeting their edge."""


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """What `extract_faces` did."""

    faceset: Path
    actor: str
    num_faces: int
    """Added by this call."""
    num_total: int
    """In the faceset now."""
    skipped: tuple[str, ...]
    """Clips already there."""
    failed: tuple[str, ...]
    """One line for each clip that could not be used."""
    notes: tuple[str, ...]


def extract_faces(
    clips: Sequence[Path | str],
    faceset: Path | str,
    actor: str,
    *,
    size: int = 256,
    coverage: Coverage = "whole_face",
    margin: float = DEFAULT_MARGIN,
    every: int = 1,
    min_face_px: int = 32,
    detector: Detector | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ExtractReport:
    """Add the faces of clips, pictures or folders of pictures to a faceset.

    The same call again goes on where it stopped: clips that are in the faceset already are skipped. A clip that
    cannot be used is reported and does not stop the others, unless it is the only one.

    Args:
        size: side of the crops, px. every: use every n-th frame. min_face_px: larger side of the smallest face used.

    Raises:
        UsageError: bad settings or paths. UnsupportedInputError, NoFaceError: when no clip could be used.
        InterruptedRunError: stopped by a signal; finished clips are kept.
    """
    _check(actor, size, every, min_face_px)
    crop = CropSpec(size=size, coverage=coverage, margin=margin, template=TEMPLATE)
    store = FaceSet.create(faceset, actor, crop) if (Path(faceset) / "faces.db").is_file() else None
    detector = detector or make_detector()
    skipped: list[str] = []
    failed: list[FaceswapError] = []
    notes: list[str] = []
    num_faces = 0
    with stop_on_signal() as stop:
        for clip in _expanded(clips):
            try:
                reader = open_clip(clip)
                if store is not None and store.has_clip(clip_fingerprint(clip), every):
                    skipped.append(str(clip))
                    continue
                index = analyse(
                    reader, detector, every=every, min_face_px=min_face_px, on_progress=on_progress, stop=stop
                )
                notes += [f"{clip.name}: {note}" for note in reader.info.notes]
                # Only now is there something to store: a failed first clip must not leave an empty faceset behind.
                store = store or FaceSet.create(faceset, actor, crop)
                num_faces += _add_clip(store, reader, index, on_progress, stop)
            except InterruptedRunError as error:
                done = f"{num_faces} faces of finished clips are kept in {faceset}"
                raise InterruptedRunError(
                    f"{error}; {done}; repeat the command to go on", stop.signal_number
                ) from error
            except (ResourceError, UsageError):
                raise
            except FaceswapError as error:
                failed.append(error)
    if failed and not num_faces and not skipped:
        raise failed[0]
    assert store is not None
    return ExtractReport(
        store.path, actor, num_faces, len(store.records()), tuple(skipped), tuple(map(str, failed)), tuple(notes)
    )


def _check(actor: str, size: int, every: int, min_face_px: int) -> None:
    if not actor.strip() or actor != actor.strip() or "/" in actor or "\n" in actor:
        raise UsageError(f"--actor {actor!r} is not a usable name; use letters, digits, dashes")
    if not 64 <= size <= 1024 or size % 32:
        raise UsageError(f"--size {size} is not possible; allowed: 64 to 1024 in steps of 32")
    if every < 1:
        raise UsageError(f"--every {every} is not possible; 1 takes every frame, 2 every second")
    if min_face_px < 8:
        raise UsageError(f"--min-face {min_face_px} is not possible; the smallest face that can be used has 8 px")


def _expanded(clips: Sequence[Path | str]) -> list[Path]:
    """Replace folders that hold clips by the clips; folders of pictures stay."""
    result: list[Path] = []
    for clip in map(Path, clips):
        videos = sorted(p for p in clip.iterdir() if p.suffix.lower() in _VIDEO_SUFFIXES) if clip.is_dir() else []
        result += videos or [clip]
    if not result:
        raise UsageError("no clip given")
    return result


_VIDEO_SUFFIXES = {
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
    ".mpeg",
    ".mxf",
    ".wmv",
    ".flv",
}


def _add_clip(store: FaceSet, reader: Reader, index: FaceIndex, on_progress: OnProgress, stop: StopRequest) -> int:
    """Write the crops of one analysed clip and register them; the clip counts only once all of it is there."""
    records: list[FaceRecord] = []
    with folder_lock(store.path, "extract"), disk_errors_named(store.path):
        for frame in reader:
            for face in index.faces_at(frame.index):
                if not face.is_interpolated:
                    records.append(_write_crop(store, index, frame, face))
            on_progress(Progress("write crops", frame.index + 1, index.num_frames, details={"faces": len(records)}))
            if stop:
                raise InterruptedRunError("stopped while writing crops", stop.signal_number)
        if not records:
            raise NoFaceError(f"{reader.info.path}: no face in it is large enough")
        index.save(store.path / "index" / f"{index.fingerprint[:12]}.faces.db")
        store.add_clip(index.fingerprint, reader.info.path, index.every, index.num_frames, records)
    return len(records)


def _write_crop(store: FaceSet, index: FaceIndex, frame: Frame, face: Face) -> FaceRecord:
    size = store.crop.size
    matrix = patch_from_frame(face, store.crop)
    rgb = render_view(frame, matrix, (size, size))
    name = f"faces/{index.fingerprint[:8]}-{frame.index:06d}-{face.track}.jpg"
    write_picture(store.path / name, rgb)
    sharpness, brightness = _picture_figures(rgb)
    return FaceRecord(
        file=name,
        clip=index.fingerprint,
        frame=frame.index,
        pts=frame.time.pts,
        time_base=str(frame.time.time_base),
        shot=index.shot_of(frame.index),
        track=face.track,
        score=face.score,
        box=face.box,
        landmarks=geometry.apply(matrix, face.landmarks),
        patch_from_frame=matrix,
        sharpness=sharpness,
        brightness=brightness,
    )


def _picture_figures(rgb: NDArray[np.uint8]) -> tuple[float, float]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()), float(grey.mean())
