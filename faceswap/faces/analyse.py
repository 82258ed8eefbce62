"""One pass over a clip: shots, faces, tracks, smoothed transforms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from faceswap.errors import InterruptedRunError, NoFaceError, UnsupportedInputError
from faceswap.faces.base import Detection, Detector
from faceswap.faces.finder import FaceFinder
from faceswap.faces.index import FaceIndex
from faceswap.faces.track import MAX_GAP, Tracker
from faceswap.files import fingerprint
from faceswap.interrupt import StopRequest
from faceswap.media.reader import Reader
from faceswap.media.shots import CutDetector
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import Face, Frame, Shot

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
    is_stills = info.container == "pictures"
    finder = FaceFinder(detector, info.upright_from_stored, min_face_px)
    cuts = CutDetector()
    shots: list[Shot] = []
    faces: list[Face] = []
    num_tracks = 0
    num_frames = 0
    current: _ShotAnalysis | None = None

    def end_shot() -> None:
        nonlocal num_tracks
        if current is None:
            return
        current.flush()
        shots.append(Shot(current.start, num_frames))
        is_long = num_frames - current.start >= _MIN_TRACK * every
        tracks = current.tracker.finish(num_tracks, step=every, min_frames=_MIN_TRACK if is_long else 1)
        num_tracks += len(tracks)
        faces.extend(face for track in tracks for face in track)

    for frame in reader:
        if is_stills or cuts.is_cut(frame):
            end_shot()
            current = _ShotAnalysis(finder, start=frame.index, max_gap=MAX_GAP * every)
        num_frames = frame.index + 1
        assert current is not None, "the first frame is always a cut"
        if (frame.index - current.start) % every == 0:
            current.add(frame)
        on_progress(Progress("find faces", num_frames, info.num_frames))
        if stop:
            raise InterruptedRunError(
                f"stopped while analysing {info.path}; repeat the command to start again", stop.signal_number
            )
    if not num_frames:
        raise UnsupportedInputError(f"{info.path}: no frame can be decoded; it is empty, damaged or encrypted")
    end_shot()
    if not faces:
        raise NoFaceError(
            f"{info.path}: no face of {min_face_px} px or more in {num_frames} frames; a lower --min-face may find smaller ones"
        )
    faces.sort(key=lambda face: (face.frame, face.track))
    return FaceIndex(
        clip_fingerprint(reader.info.path), detector.name, num_frames, every, min_face_px, tuple(shots), tuple(faces)
    )


def clip_fingerprint(path: Path) -> str:
    """Return the fingerprint of a clip, or of a folder of pictures."""
    if path.is_file():
        return fingerprint(path)
    files = sorted(p for p in path.iterdir() if p.is_file())
    return hashlib.sha256("".join(f"{p.name}:{fingerprint(p)};" for p in files).encode()).hexdigest()
