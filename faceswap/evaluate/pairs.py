"""Frames of two clips, brought together by their times."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from faceswap.errors import UsageError
from faceswap.media.reader import VideoReader
from faceswap.types import Frame


def check_pair(before: VideoReader, after: VideoReader) -> None:
    """Refuse two clips that cannot show the same thing.

    Raises:
        UsageError: their pictures have different sizes.
    """
    if before.info.size != after.info.size:
        (h, w), (height, width) = before.info.size, after.info.size
        raise UsageError(
            f"{after.info.path} is {width}x{height} and {before.info.path} is {w}x{h}; "
            "figures compare pixel with pixel: scale the one back to the size of the other first"
        )


def paired_frames(before: VideoReader, after: VideoReader) -> Iterator[tuple[Frame, Frame | None]]:
    """Yield each frame of `before` with the one of `after` that is shown at its time; None = there is none.

    Times count from each clip's own first frame; half a frame's duration either way is the same time. Clips that hold the
    same pictures on other clocks (23.976 against 24) drift apart; such clips are paired by their order.
    """
    step = 1 / before.info.rate
    is_other_clock = before.info.rate != after.info.rate
    if is_other_clock and before.info.num_frames and before.info.num_frames == after.info.num_frames:
        yield from _by_order(before, after)
        return
    later = iter(after)
    frame = next(later, None)
    first_before: Fraction | None = None
    first_after = _seconds(frame) if frame is not None else Fraction(0)
    for old in before:
        first_before = _seconds(old) if first_before is None else first_before
        time = _seconds(old) - first_before
        while frame is not None and _seconds(frame) - first_after < time - step / 2:
            frame = next(later, None)
        is_same = frame is not None and _seconds(frame) - first_after < time + step / 2
        yield old, frame if is_same else None


def _by_order(before: VideoReader, after: VideoReader) -> Iterator[tuple[Frame, Frame | None]]:
    later = iter(after)
    for old in before:
        yield old, next(later, None)


def _seconds(frame: Frame) -> Fraction:
    return frame.time.pts * frame.time.time_base
