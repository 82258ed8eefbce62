"""The watermark as one of the layers that `verify` reads: where in a clip it is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from faceswap.media.reader import VideoReader, open_clip
from faceswap.provenance.mark_id import MarkId, id_text
from faceswap.provenance.watermark.detect import detect
from faceswap.types import Frame

_WHOLE_SECONDS = 120
"""Longer clips are looked at in places."""
_NUM_PLACES, _PLACE_SECONDS = 12, 10


@dataclass(frozen=True, slots=True)
class WatermarkFound:
    """An id in the pixels."""

    mark_id: str
    """Ten hexadecimal digits."""
    false_positive_rate: float
    """At most so likely is it that unmarked frames would have given this."""


def find_watermark(path: Path) -> WatermarkFound | None:
    """Return the watermark in a clip or a picture, or None; decodes up to two minutes of it.

    Raises:
        UnsupportedInputError: nothing in it can be decoded.
    """
    found = detect(frames_to_look_at(path))
    if found is None:
        return None
    return WatermarkFound(id_text(MarkId(found.id)), found.false_positive_rate)


def frames_to_look_at(path: Path) -> Iterator[Frame]:
    """Yield all frames of a short clip, and of a long one those of places that are spread evenly over it."""
    reader = open_clip(path)
    if not isinstance(reader, VideoReader):
        yield from reader
        return
    info = reader.info
    seconds = Fraction(info.num_frames or 0) / info.rate
    if seconds <= _WHOLE_SECONDS:
        yield from reader
        return
    for place in range(_NUM_PLACES):
        start = seconds * place / _NUM_PLACES
        first: float | None = None
        for frame in reader.frames_at(start, round(start * info.rate)):
            first = frame.time.seconds if first is None else first
            if frame.time.seconds >= first + _PLACE_SECONDS:
                break
            yield frame
