"""One pass over a clip: shots, faces, tracks, smoothed transforms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from faceswap.errors import InterruptedRunError, NoFaceError, UnsupportedInputError
from faceswap.faces.base import Detection, Detector
from faceswap.faces.finder import FaceFinder
from faceswap.faces.index import FaceIndex
from faceswap.faces.track import MAX_GAP, Tracker
from faceswap.files import fingerprint
from faceswap.interrupt import StopRequest
from faceswap.media.digest import frame_digest
from faceswap.media.reader import Reader
from faceswap.media.shots import CutDetector
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import Face, Frame, FrameTable, Shot

_KEY_STEP = 8
"""Analysed frames from one whole-picture detection to the next."""
_MIN_TRACK = 3
"""Detections a track needs in a clip; single ones are mostly false alarms."""


@dataclass(slots=True)
class _ShotAnalysis:
    """The run of frames since the last cut."""

    finder: FaceFinder
    start: int
    max_gap: int
    tracker: Tracker = field(default_factory=Tracker)
    waiting: list[Frame] = field(default_factory=list)
    last_key: list[Detection] | None = None

    def add(self, frame: Frame) -> None:
        self.waiting.append(frame)
        if self.last_key is None or len(self.waiting) == _KEY_STEP:
            self.flush()

    def flush(self) -> None:
        """Detect in the frames that wait; the last of them becomes a key frame."""
        if not self.waiting:
            return
        key = self.finder.in_whole_frames(self.waiting[-1:])[0]
        between = self.waiting[:-1]
        found = self.finder.between(between, self.last_key or [], key) if between else []
        for frame, detections in zip(self.waiting, [*found, key], strict=True):
            self.tracker.add(frame.index, detections, self.max_gap)
        self.last_key = key
        self.waiting = []


@dataclass(slots=True)
class _ClipAnalysis:
    """What is known of a clip so far."""

    finder: FaceFinder
    every: int
    is_stills: bool
    cuts: CutDetector = field(default_factory=CutDetector)
    shots: list[Shot] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    num_tracks: int = 0
    times: list[tuple[int, int, int]] = field(default_factory=list)
    """(pts, duration, digest) of each frame."""
    current: _ShotAnalysis | None = None

    def add(self, frame: Frame) -> None:
        if self.is_stills or self.cuts.is_cut(frame) or self.current is None:
            self.end_shot()
            self.current = _ShotAnalysis(self.finder, start=frame.index, max_gap=MAX_GAP * self.every)
        self.times.append((frame.time.pts, frame.duration, frame_digest(frame)))
        if (frame.index - self.current.start) % self.every == 0:
            self.current.add(frame)

    @property
    def num_frames(self) -> int:
        return len(self.times)

    def end_shot(self) -> None:
        """Close the shot that runs: detect what waits, make its tracks."""
        if self.current is None:
            return
        self.current.flush()
        start = self.current.start
        self.shots.append(Shot(start, self.num_frames))
        is_long = self.num_frames - start >= _MIN_TRACK * self.every
        tracks = self.current.tracker.finish(self.num_tracks, step=self.every, min_frames=_MIN_TRACK if is_long else 1)
        self.num_tracks += len(tracks)
        self.faces.extend(face for track in tracks for face in track)
        self.current = None


def analyse(
    reader: Reader,
    detector: Detector,
    *,
    every: int = 1,
    min_face_px: int = 24,
    on_progress: OnProgress = ignore_progress,
    stop: StopRequest | None = None,
) -> FaceIndex:
    """Return the face index of a clip.

    Args:
        every: analyse every n-th frame only (for facesets; conversion needs 1).
        min_face_px: faces whose larger side is smaller are ignored.

    Raises:
        UnsupportedInputError: not one frame decodes. NoFaceError: frames but no face.
        InterruptedRunError: `stop` was set; nothing is kept.
    """
    info = reader.info
    finder = FaceFinder(detector, info.upright_from_stored, min_face_px, is_interlaced=info.field_order is not None)
    clip = _ClipAnalysis(finder, every, is_stills=info.container == "pictures")
    for frame in reader:
        clip.add(frame)
        on_progress(Progress("find faces", clip.num_frames, info.num_frames))
        if stop:
            raise InterruptedRunError(
                f"stopped while analysing {info.path}; repeat the command to start again", stop.signal_number
            )
    clip.end_shot()
    if not clip.num_frames:
        raise UnsupportedInputError(f"{info.path}: no frame can be decoded; it is empty, damaged or encrypted")
    if not clip.faces:
        raise NoFaceError(
            f"{info.path}: no face of {min_face_px} px or more in {clip.num_frames} frames; "
            "a lower --min-face may find smaller ones"
        )
    return FaceIndex(
        fingerprint=clip_fingerprint(info.path),
        detector=detector.name,
        frames=_frame_table(info.time_base, clip.times),
        every=every,
        min_face_px=min_face_px,
        shortfalls=tuple(reader.shortfalls(clip.num_frames)),
        remarks=tuple(reader.remarks),
        shots=tuple(clip.shots),
        faces=tuple(sorted(clip.faces, key=lambda face: (face.frame, face.track))),
    )


def _frame_table(time_base: Fraction, times: list[tuple[int, int, int]]) -> FrameTable:
    pts, duration, digest = np.array(times, dtype=np.int64).T
    return FrameTable(time_base, pts.copy(), duration.copy(), digest.astype(np.uint32))


def clip_fingerprint(path: Path) -> str:
    """Return the fingerprint of a clip, or of a folder of pictures."""
    if path.is_file():
        return fingerprint(path)
    files = sorted(p for p in path.iterdir() if p.is_file())
    return hashlib.sha256("".join(f"{p.name}:{fingerprint(p)};" for p in files).encode()).hexdigest()
