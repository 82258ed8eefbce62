"""Matching the colours of swapped faces to the footage, steadily over time.

Statistics are taken under the mask only and smoothed along a track, so that the fit does not flicker with each frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.color import Statistics

_FOLLOW = 0.08
"""Share by which the statistics move to a new frame's: a time constant of about half a second."""
_MIN_AREA = 16.0
"""Sum of mask below which a frame says nothing reliable about colour."""


class ColorMatcher:
    """Keeps the colour statistics of each track."""

    def __init__(self) -> None:
        self._state: dict[tuple[int, int], tuple[Statistics, Statistics]] = {}

    def match(
        self,
        keys: Sequence[tuple[int, int]],
        swapped: Sequence[NDArray],
        originals: Sequence[NDArray],
        masks: Sequence[NDArray],
    ) -> list[NDArray[np.float32]]:
        """Return the swapped patches with the colours of the originals.

        Args:
            keys: (shot, track) of each patch, in frame order.
            swapped, originals: (3, S, S) RGB [0, 1]. masks: (1, S, S) [0, 1].
        """
        results = []
        for key, new, old, mask in zip(keys, swapped, originals, masks, strict=True):
            if mask.sum() >= _MIN_AREA:
                self._follow(key, color.masked_statistics(new, mask), color.masked_statistics(old, mask))
            if key in self._state:
                new = np.clip(color.transform(new, color.mkl_map(*self._state[key])), 0, 1)
            results.append(new)
        return results

    def _follow(self, key: tuple[int, int], new: Statistics, old: Statistics) -> None:
        if key in self._state:
            last_new, last_old = self._state[key]
            self._state[key] = last_new.blended(new, _FOLLOW), last_old.blended(old, _FOLLOW)
        else:
            self._state[key] = new, old
