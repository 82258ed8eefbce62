"""One pass over a clip: shots, faces, tracks, smoothed transforms."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from faceswap.errors import InterruptedRunError, NoFaceError, UnsupportedInputError
from faceswap.faces.base import Detector
from faceswap.faces.cache import index_path, load_index, open_index
from faceswap.faces.finder import FaceFinder
from faceswap.faces.index import FaceIndex
from faceswap.faces.method import FaceMethod
from faceswap.faces.refine import Refiner
from faceswap.faces.run import FaceRun
from faceswap.faces.track import Tracker
from faceswap.faces.viewer import Viewer
from faceswap.files import fingerprint
from faceswap.interrupt import StopRequest
from faceswap.media.digest import frame_digest
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import Reader
from faceswap.media.shots import ShotDetector
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.threads import read_ahead
from faceswap.types import Face, Frame, FrameTable, Shot

_MIN_TRACK = 3
"""Detections a track needs in a clip; single ones are mostly false alarms."""


@dataclass(slots=True)
class _ClipAnalysis:
    """What is known of a clip so far."""

    finder: FaceFinder
    refiner: Refiner | None
    every: int
    is_stills: bool
    tracker: Tracker
    shot_detector: ShotDetector = field(default_factory=ShotDetector)
    times: list[tuple[int, int, int]] = field(default_factory=list)
    """(pts, duration, digest) of each frame."""
    run: FaceRun | None = None

    def add(self, frame: Frame) -> None:
        has_jumped = self.is_stills or self.shot_detector.add(frame)
        if has_jumped or self.run is None:
            if self.run is not None:
                self.run.flush()
            self.run = FaceRun(self.finder, self.refiner, self.tracker, frame.index)
        self.times.append((frame.time.pts, frame.duration, frame_digest(frame)))
        if (frame.index - self.run.start) % self.every == 0:
            self.run.add(frame)

    @property
    def num_frames(self) -> int:
        return len(self.times)

    def finish(self) -> tuple[tuple[Shot, ...], list[Face]]:
        """Detect what waits; return the shots and their tracks' faces, by frame."""
        if self.run is not None:
            self.run.flush()
        shots = self.shot_detector.shots() if not self.is_stills else _one_frame_shots(self.num_frames)
        faces: list[Face] = []
        num_tracks = 0
        for shot, part in zip(shots, self.tracker.split(shots), strict=True):
            # In a part shorter than that, one detection must do.
            is_long = shot.stop - shot.start >= _MIN_TRACK * self.every
            tracks = part.finish(num_tracks, min_frames=_MIN_TRACK if is_long else 1)
            num_tracks += len(tracks)
            faces.extend(face for track in tracks for face in track)
        return shots, sorted(faces, key=lambda face: (face.frame, face.track))


def _one_frame_shots(num_frames: int) -> tuple[Shot, ...]:
    return tuple(Shot(i, i + 1, "cut" if i else "start") for i in range(num_frames))


def analyse(
    reader: Reader,
    detector: Detector,
    *,
    every: int = 1,
    min_face_px: int = 24,
    needs_face: bool = True,
    on_progress: OnProgress = ignore_progress,
    stop: StopRequest | None = None,
) -> FaceIndex:
    """Return the face index of a clip.

    Args:
        detector: a `FaceMethod` brings along a landmarker, and how many crops are averaged.
        every: analyse every n-th frame only (for facesets; conversion needs 1).
        min_face_px: faces whose larger side is smaller are ignored.
        needs_face: a clip without one is an error.

    Raises:
        UnsupportedInputError: not one frame decodes. NoFaceError: frames but no face.
        InterruptedRunError: `stop` was set; nothing is kept.
    """
    info = reader.info
    method = detector if isinstance(detector, FaceMethod) else FaceMethod(detector)
    viewer = Viewer(info.upright_from_stored, is_interlaced=info.field_order is not None)
    finder = FaceFinder(method.detector, viewer, min_face_px, refine=1 if method.landmarker else method.refine)
    refiner = Refiner(method.landmarker, viewer, method.refine) if method.landmarker else None
    clip = _ClipAnalysis(finder, refiner, every, info.container == "pictures", Tracker(every))
    with closing(read_ahead(reader, _frames_ahead(info))) as frames:
        for frame in frames:
            clip.add(frame)
            on_progress(Progress("find faces", clip.num_frames, info.num_frames))
            if stop:
                raise InterruptedRunError(
                    f"stopped while analysing {info.path}; repeat the command to start again", stop.signal_number
                )
    shots, faces = clip.finish()
    if not clip.num_frames:
        raise UnsupportedInputError(f"{info.path}: no frame can be decoded; it is empty, damaged or encrypted")
    if needs_face and not faces:
        raise NoFaceError(
            f"{info.path}: no face of {min_face_px} px or more in {clip.num_frames} frames; "
            "a lower --min-face may find smaller ones"
        )
    return FaceIndex(
        fingerprint=clip_fingerprint(info.path),
        detector=method.name,
        frames=_frame_table(info.time_base, clip.times),
        every=every,
        min_face_px=min_face_px,
        shortfalls=tuple(reader.shortfalls(clip.num_frames)),
        remarks=tuple(reader.remarks),
        shots=shots,
        faces=tuple(faces),
    )


def _frames_ahead(info: ClipInfo) -> int:
    """Return how many frames may be decoded while others are looked at: about 64 MB of them."""
    height, width = info.size if min(info.size) else (4096, 4096)  # each picture of a folder has its own
    return max(1, min(8, 2**26 // (3 * height * width)))


def kept_index(
    reader: Reader,
    detector: Detector,
    output: Path,
    *,
    min_face_px: int,
    on_progress: OnProgress = ignore_progress,
) -> FaceIndex:
    """Return the index kept for a conversion to `output`; analyse and keep it when there is none.

    An index without faces is returned but not kept: a conversion must say that there is nothing to do.
    """
    source = reader.info.path
    digest = clip_fingerprint(source)
    place = index_path(source, output, digest, reader.info.video_stream)
    index = load_index(place, digest, detector.name, min_face_px)
    if index is None:
        index = analyse(reader, detector, min_face_px=min_face_px, needs_face=False, on_progress=on_progress)
        if index.faces:
            index.save(place)
            return open_index(place)
    return index


def _frame_table(time_base: Fraction, times: list[tuple[int, int, int]]) -> FrameTable:
    pts, duration, digest = np.array(times, dtype=np.int64).T
    return FrameTable(time_base, pts.copy(), duration.copy(), digest.astype(np.uint32))


def clip_fingerprint(path: Path) -> str:
    """Return the fingerprint of a clip, or of a folder of pictures."""
    if path.is_file():
        return fingerprint(path)
    files = sorted(p for p in path.iterdir() if p.is_file())
    return hashlib.sha256("".join(f"{p.name}:{fingerprint(p)};" for p in files).encode()).hexdigest()
