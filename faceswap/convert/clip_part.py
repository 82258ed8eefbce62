"""A stretch around one moment of a clip, looked at as a clip of its own: quick where no face index is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice

import numpy as np

from faceswap.convert.batches import WARM_UP
from faceswap.convert.timecode import ClipClock, Moment
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.index import FaceIndex
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader
from faceswap.progress import OnProgress
from faceswap.types import Frame, FrameTable

_AFTER = 16
"""Frames behind the moment: two looks of the detector at the whole picture, and what smoothing needs."""
_RATED_FRAMES = 1000
"""Frames of a made-up table from which a clip's nominal rate is told."""
_UNSTEADY = 0.3
"""Frames by which a step from one frame to the next differs from the rate where that is no rounding."""


@dataclass(slots=True)
class ClipPart:
    """Frames of a clip from some time on, numbered from 0."""

    reader: VideoReader
    start: Fraction
    """Seconds from the clip's first frame."""
    length: int
    """Frames; fewer where the clip ends."""
    info: ClipInfo = field(init=False)
    """Facts of the whole clip, but for the number of frames."""
    num_damaged: int = 0
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.info = replace(self.reader.info, num_frames=self.length)

    def __iter__(self) -> Iterator[Frame]:
        return islice(self.reader.frames_at(self.start, 0), self.length)

    def frames_from(self, index: int, table: FrameTable) -> Iterator[Frame]:
        """Yield the frames from number `index` on."""
        return islice(iter(self), index, None)

    def shortfalls(self, num_frames: int) -> list[str]:
        """Nothing is promised of a part."""
        return []


@dataclass(frozen=True, slots=True, eq=False)
class PartAround:
    """The stretch around a moment, analysed."""

    part: ClipPart
    index: FaceIndex
    """Of the part: numbered from its first frame."""
    frame: int
    """The wanted frame in it."""
    number: int
    """Of that frame in the clip, counted by the clip's rate."""
    is_steady: bool
    """The frames around keep that rate; otherwise `number` is a guess."""


def part_around(
    reader: VideoReader, moment: Moment, option: str, detector: Detector, min_face_px: int, on_progress: OnProgress
) -> PartAround:
    """Return the `WARM_UP` frames before a moment and some after it, with their faces.

    Raises:
        UsageError: the moment lies outside the clip.
    """
    clock = _clock(reader)
    wanted = clock.seconds_of(moment, option)
    step = 1 / reader.info.rate
    start = max(Fraction(0), wanted - WARM_UP * step)
    part = ClipPart(reader, start, WARM_UP + 1 + _AFTER)
    try:
        index = analyse(part, detector, min_face_px=min_face_px, needs_face=False, on_progress=on_progress)
    except UnsupportedInputError as error:
        if next(iter(reader), None) is None:
            raise
        raise _outside(reader, moment, option) from error
    zero = int(clock.table.pts[0])
    # A frame that was counted by the rate may start a little before the time that it stands for.
    slack = step / 2 if moment.unit == "frame" else min(reader.info.time_base / 2, step / 8)
    tick = zero + (wanted - slack) / reader.info.time_base
    frame = int(np.searchsorted(index.frames.pts, float(tick)))
    if wanted < 0 or frame >= index.num_frames:
        raise _outside(reader, moment, option)
    seconds = (int(index.frames.pts[frame]) - zero) * reader.info.time_base
    steps = np.diff(index.frames.pts) * float(reader.info.time_base * reader.info.rate)
    is_steady = bool((np.abs(steps - 1) < _UNSTEADY).all())
    return PartAround(part, index, frame, round(seconds * reader.info.rate), is_steady)


def _clock(reader: VideoReader) -> ClipClock:
    """Return a clock that knows the clip's rate and its first time only."""
    info = reader.info
    with closing(iter(reader)) as frames:  # type: ignore[type-var]
        first = next(frames, None)
    zero = first.time.pts if first else 0
    pts = zero + np.round(np.arange(_RATED_FRAMES) * float(1 / (info.rate * info.time_base))).astype(np.int64)
    return ClipClock.of(FrameTable(info.time_base, pts, np.zeros_like(pts), np.zeros(len(pts), np.uint32)))


def _outside(reader: VideoReader, moment: Moment, option: str) -> UsageError:
    info = reader.info
    length = f"it has about {info.num_frames} frames" if info.num_frames else "its length is not known"
    return UsageError(f"{option} {moment.text!r} lies outside the clip; {length} at {float(info.rate):.5g} a second")
