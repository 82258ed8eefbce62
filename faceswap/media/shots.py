"""Cuts: where one shot ends and the next begins.

The score is FFmpeg's `scdet`: the mean absolute difference of luma to the frame before, capped by how much that
difference jumped, so that steady motion (large but even differences) is not taken for a cut.
"""

from __future__ import annotations

import cv2
import numpy as np

from faceswap.types import Frame

CUT_SCORE = 6.0
"""Per cent of full scale.

Real cuts in dark stage footage score 7.9 to 9.9 (scdet's default of 10 misses them), fast motion at most 5.
"""
_THUMBNAIL = (64, 36)


class CutDetector:
    """Tells, frame by frame, whether a new shot begins."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._last_difference: float | None = None

    def is_cut(self, frame: Frame) -> bool:
        """Return True when `frame` is the first of a new shot (the clip's first frame is one)."""
        scale = 100 / (2**frame.color.bit_depth - 1)
        luma = cv2.resize(frame.planes[0], _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) * scale
        last, self._last = self._last, luma
        if last is None:
            return True
        difference = float(np.abs(luma - last).mean())
        # Right after a cut nothing is known of the new shot's motion: the second frame cannot be a cut.
        jump = 0.0 if self._last_difference is None else abs(difference - self._last_difference)
        is_cut = min(difference, jump) >= CUT_SCORE
        self._last_difference = None if is_cut else difference
        return is_cut
