"""Shots: where one ends and the next begins, by a cut, a dissolve or a fade through black.

One pass over thumbnails; times, not frame counts, decide, so that any frame rate and variable rates give the same
shots. A boundary is known a little after it has passed: a dissolve when it has ended, a cut when the picture has not
come back (a flash) and has not gone on changing as much (a whip pan).

The score of a cut is FFmpeg's `scdet`: the mean absolute difference of luma to the frame before, capped by how much
that difference jumped, so that steady motion (large but even differences) is not taken for a cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.media.dissolves import Dissolve, DissolveDetector
from faceswap.types import Frame, Shot, Transition

CUT_SCORE = 6.0
"""Per cent of full scale.

Real cuts in dark stage footage score 7.9 to 9.9 (scdet's default of 10 misses them), fast motion at most 5.
"""
_THUMBNAIL = (64, 36)
_MEMORY = 0.2
"""Seconds of differences that say how much change is normal; bridges the repeated frames of converted rates."""
_FLASH = 0.3
"""Seconds within which a picture that comes back makes what was between a flash."""
_SAME = 0.4
"""A picture has come back when it differs from the one before the jump by less than this share of the jump."""
_SUSTAINED = 0.7
"""Share of the jump that the next two differences must both reach to make it fast motion."""
_REPEATED = 0.1
"""Share of the jump below which a difference says nothing: a repeated frame, or a calm shot."""
_BLACK_CONTRAST, _BLACK_LEVEL = 1.5, 4.0
"""Standard deviation and mean above black, per cent of full scale, of what counts as a black picture."""
_NEAR_BLACK = 0.3
"""Seconds; a moving picture that is faded looks like a dissolve into a darker one."""
_STUDIO_BLACK = 100 * 16 / 255


@dataclass(slots=True)
class _Jump:
    """A frame that may be the first of a new shot."""

    frame: int
    seconds: float
    before: NDArray[np.float32]
    score: float
    later: list[float] = field(default_factory=list)
    """The next two differences that are not of repeated frames."""


class ShotDetector:
    """Takes the frames of a clip in order and tells its shots."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._last: NDArray[np.float32] | None = None
        self._differences: list[tuple[float, float, float]] = []
        """(time, difference, seconds since the frame before) of the last moments; empty right after a jump."""
        self._jumps: list[_Jump] = []
        self._cuts: list[int] = []
        self._black_start: int | None = None
        self._black_runs: list[tuple[int, int]] = []
        """Half-open runs of black frames between others."""
        self._dissolve_detector = DissolveDetector()
        self._dissolves: list[Dissolve] = []

    def add(self, frame: Frame) -> bool:
        """Take the next frame; return True when the picture jumps there, so that nothing before it helps to find its faces.

        Jumps are the clip's first frame, cuts and flashes; `shots` knows which of them count.
        """
        seconds = frame.time.seconds
        luma = _thumbnail(frame)
        number = len(self._times)
        self._times.append(seconds)
        is_jump = self._find_jump(luma, number, seconds)
        self._find_black(luma, number, _STUDIO_BLACK if not frame.color.full_range else 0.0)
        halved = np.float32(0.25) * (luma[::2, ::2] + luma[1::2, ::2] + luma[::2, 1::2] + luma[1::2, 1::2])
        found = self._dissolve_detector.add(halved, seconds)
        if found is not None:
            self._dissolves.append(found)
        self._last = luma
        return is_jump or number == 0

    def shots(self) -> tuple[Shot, ...]:
        """Return the shots of all frames taken; ends the pass."""
        last = self._dissolve_detector.finish()
        dissolves = [*self._dissolves, *([last] if last else [])]
        kinds: dict[int, Transition] = {0: "start"}
        kinds |= dict.fromkeys((*self._cuts, *(jump.frame for jump in self._jumps)), "cut")
        # A cut on either side of the black is the boundary already; black at the clip's start belongs to its first shot.
        fades = [run for run in self._black_runs if run[0] > 0 and not kinds.keys() & set(run)]
        kinds |= {(start + stop) // 2: "fade" for start, stop in fades}
        for dissolve in dissolves:
            middle = bisect_left(self._times, dissolve.middle)
            if middle < len(self._times) and not self._is_disturbed(dissolve, kinds, fades):
                kinds[middle] = "dissolve"
        starts = sorted(kinds)
        stops = [*starts[1:], len(self._times)]
        return tuple(Shot(start, stop, kinds[start]) for start, stop in zip(starts, stops, strict=True) if stop > start)

    def _is_disturbed(
        self, dissolve: Dissolve, boundaries: Iterable[int], black_runs: Iterable[tuple[int, int]]
    ) -> bool:
        """True for what is no dissolve but goes with another boundary: its two ends lie around it, or it ends in black."""
        start, stop = (bisect_left(self._times, t) for t in (dissolve.start, dissolve.stop))
        first, last = (bisect_left(self._times, t) for t in (dissolve.start - _NEAR_BLACK, dissolve.stop + _NEAR_BLACK))
        return any(start < frame <= stop for frame in boundaries) or any(
            black_start < last and first < black_stop for black_start, black_stop in black_runs
        )

    def _find_jump(self, luma: NDArray[np.float32], number: int, seconds: float) -> bool:
        if self._last is None:
            return False
        step = max(seconds - self._times[-2], 1e-6)
        difference = _distance(luma, self._last)
        is_back = self._settle_jumps(luma, seconds, difference, step)
        self._differences = [entry for entry in self._differences if entry[0] >= seconds - step - _MEMORY]
        # Right after a jump nothing is known of the new motion: the second frame cannot be a jump. Over a gap in time
        # the picture may have moved on by more.
        normal = max(
            (past * max(1.0, step / past_step) ** 0.5 for _, past, past_step in self._differences), default=difference
        )
        if difference - normal < CUT_SCORE:
            self._differences.append((seconds, difference, step))
            return is_back
        if not is_back:
            self._jumps.append(_Jump(number, seconds, self._last, difference))
        self._differences = []
        return True

    def _settle_jumps(self, luma: NDArray[np.float32], seconds: float, difference: float, step: float) -> bool:
        """Decide on the jumps that wait; return True when the picture before one of them is back."""
        waiting: list[_Jump] = []
        for jump in self._jumps:
            if _distance(luma, jump.before) < _SAME * jump.score:
                self._jumps = waiting
                return True
            if len(jump.later) < 2 and difference > _REPEATED * jump.score:
                jump.later.append(difference)
            if len(jump.later) == 2 and min(jump.later) >= _SUSTAINED * jump.score:
                # The picture goes on changing as much: fast motion, and so much change is normal from now on.
                self._differences.append((seconds, jump.score, step))
            elif seconds - jump.seconds > _FLASH:
                self._cuts.append(jump.frame)
            else:
                waiting.append(jump)
        self._jumps = waiting
        return False

    def _find_black(self, luma: NDArray[np.float32], number: int, black: float) -> None:
        is_black = float(luma.mean()) < black + _BLACK_LEVEL and float(luma.std()) < _BLACK_CONTRAST
        if is_black and self._black_start is None:
            self._black_start = number
        elif not is_black and self._black_start is not None:
            self._black_runs.append((self._black_start, number))
            self._black_start = None


def _thumbnail(frame: Frame) -> NDArray[np.float32]:
    """(36, 64) float32 luma, per cent of full scale."""
    scale = 100 / (2**frame.color.bit_depth - 1)
    return cv2.resize(frame.planes[0], _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) * scale


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())
