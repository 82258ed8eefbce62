"""How a clip is cut into segments: the units that are rendered, kept on disk, repeated after a kill, and shared out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from faceswap.types import Shot

MAX_FRAMES = 240
"""At most this many frames are lost to a kill; each segment costs one key frame more."""
_MIN_FRAMES = 120
"""A segment ends at a cut when it is at least this long by then: key frames belong there anyway."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of frames of the output's picture stream; half-open."""

    number: int
    start: int
    stop: int
    is_copied: bool = False
    """Its packets are the source's own; nothing is rendered."""

    def __len__(self) -> int:
        return self.stop - self.start


def plan_segments(runs: Iterable[tuple[int, int, bool]], shots: Sequence[Shot]) -> list[Segment]:
    """Return the segments of some runs of frames, numbered through.

    Args:
        runs: (start, stop, is_copied) in order. Copied runs stay whole, others are split.
    """
    cuts = sorted(shot.start for shot in shots)
    pieces: list[tuple[int, int, bool]] = []
    for start, stop, is_copied in runs:
        pieces += [(start, stop, True)] if is_copied else [(*piece, False) for piece in _split(start, stop, cuts)]
    return [Segment(number, *piece) for number, piece in enumerate(pieces)]


def _split(start: int, stop: int, cuts: Sequence[int]) -> list[tuple[int, int]]:
    pieces = []
    while stop - start > MAX_FRAMES:
        at_cut = [cut for cut in cuts if start + _MIN_FRAMES <= cut <= start + MAX_FRAMES]
        end = at_cut[-1] if at_cut else start + MAX_FRAMES
        pieces.append((start, end))
        start = end
    return [*pieces, (start, stop)]
