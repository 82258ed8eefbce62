"""Clips and pictures in, a faceset out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import FaceswapError, InterruptedRunError, NoFaceError, ResourceError, UsageError
from faceswap.faces.align import patch_from_frame
from faceswap.faces.analyse import analyse, clip_fingerprint
from faceswap.faces.base import Detector
from faceswap.faces.fields import UPPER
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.faces.views import render_view
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock, sync_file, sync_folder
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.media.pictures import PictureFolder, write_picture
from faceswap.media.planes import field_of
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
    num_inputs: int
    """Clips and pictures after folders were opened."""
    skipped: tuple[str, ...]
    """Inputs already there."""
    failed: tuple[str, ...]
    """One line for each input that could not be used."""
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Extraction:
    """One call while it runs."""

    folder: Path
    actor: str
    crop: CropSpec
    every: int
    min_face_px: int
    detector: Detector
    on_progress: OnProgress
    stop: StopRequest
    store: FaceSet | None = None
    """Made with the first usable input: a failed one must not leave an empty faceset behind."""
    num_faces: int = 0
    skipped: list[str] = field(default_factory=list)
    failed: list[FaceswapError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, clip: Path) -> None:
        """Analyse an input and store its faces; what is wrong with it is remembered."""
        try:
            reader = open_clip(clip)
            if self.store is not None and self.store.has_clip(clip_fingerprint(clip), self.every):
                self.skipped.append(str(clip))
                return
            index = analyse(
                reader,
                self.detector,
                every=self.every,
                min_face_px=self.min_face_px,
                on_progress=self.on_progress,
                stop=self.stop,
            )
            self.notes += [f"{clip.name}: {note}" for note in reader.info.notes]
            if reader.num_damaged:
                self.notes.append(f"{clip.name}: {reader.num_damaged} places are damaged and did not decode")
            self.store = self.store or FaceSet.create(self.folder, self.actor, self.crop)
            self.num_faces += _add_clip(self.store, reader, index, self.on_progress, self.stop)
        except (ResourceError, UsageError, InterruptedRunError):
            raise
        except FaceswapError as error:
            self.failed.append(error)


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
    device: str = "auto",
    detector: Detector | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ExtractReport:
    """Add the faces of clips, pictures or folders of either to a faceset.

    The same call again goes on where it stopped: inputs that are in the faceset already are skipped. An input that
    cannot be used is reported and does not stop the others, unless no other could be used.

    Args:
        size: side of the crops, px. every: use every n-th frame (of pictures: every n-th of a folder).
        min_face_px: larger side of the smallest face used.

    Raises:
        UsageError: bad settings or paths. UnsupportedInputError, NoFaceError: when no input could be used.
        InterruptedRunError: stopped by a signal; finished inputs are kept.
    """
    _check(actor, size, every, min_face_px)
    inputs = _expanded(clips, every)
    crop = CropSpec(size=size, coverage=coverage, margin=margin, template=geometry.CANONICAL)
    folder = Path(faceset)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder; choose another place for the faceset")
    store = FaceSet.create(folder, actor, crop) if (folder / "faces.db").is_file() else None
    detector = detector or make_detector(device=device)
    with stop_on_signal() as stop:
        run = _Extraction(folder, actor, crop, every, min_face_px, detector, on_progress, stop, store)
        try:
            for clip in inputs:
                run.add(clip)
        except InterruptedRunError as error:
            done = f"{run.num_faces} faces of finished inputs are kept in {faceset}"
            raise InterruptedRunError(f"{error}; {done}; repeat the command to go on", stop.signal_number) from error
    if run.store is None or (run.failed and not run.num_faces and not run.skipped):
        raise run.failed[0]
    return ExtractReport(
        faceset=run.store.path,
        actor=actor,
        num_faces=run.num_faces,
        num_total=len(run.store.records()),
        num_inputs=len(inputs),
        skipped=tuple(run.skipped),
        failed=tuple(map(str, run.failed)),
        notes=tuple(run.notes),
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


def _expanded(clips: Sequence[Path | str], every: int) -> list[Path]:
    """Replace folders by the clips and pictures in them; each picture counts on its own."""
    result: list[Path] = []
    for clip in map(Path, clips):
        if not clip.is_dir():
            result.append(clip)
            continue
        inside = sorted(path for path in clip.iterdir() if path.is_file() and not path.name.startswith("."))
        found = [path for path in inside if path.suffix.lower() in _VIDEO_SUFFIXES]
        found += [path for path in inside if PictureFolder.is_picture(path)][::every]
        if not found:
            raise UsageError(f"{clip} holds neither clips nor pictures")
        result += found
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
    is_interlaced = reader.info.field_order is not None
    with folder_lock(store.path, "extract"), disk_errors_named(store.path):
        for frame in reader:
            for face in index.faces_at(frame.index):
                if not face.is_interpolated:
                    records.append(_write_crop(store, index, frame, face, is_interlaced=is_interlaced))
            on_progress(Progress("write crops", frame.index + 1, index.num_frames, details={"faces": len(records)}))
            if stop:
                raise InterruptedRunError("stopped while writing crops", stop.signal_number)
        if not records:
            raise NoFaceError(f"{reader.info.path}: no face in it is large enough")
        if reader.info.container != "pictures":
            index.save(store.path / "index" / f"{index.fingerprint[:12]}.faces.db")
        for record in records:  # before they are registered, so that a row never names a lost file
            sync_file(store.path / record.file)
        sync_folder(store.path / "faces")
        store.add_clip(index.fingerprint, reader.info.path, index.every, index.num_frames, records)
    return len(records)


def _write_crop(store: FaceSet, index: FaceIndex, frame: Frame, face: Face, *, is_interlaced: bool) -> FaceRecord:
    size = store.crop.size
    matrix = patch_from_frame(face, store.crop)
    if is_interlaced:  # the field in which the face was found: one that moves is torn to a comb by both
        in_field = geometry.compose(matrix, geometry.frame_from_field(UPPER))
        rgb = render_view(field_of(frame, UPPER), in_field, (size, size))
    else:
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
