"""Matching the colours of swapped faces to the footage, steadily over time.

Statistics are taken under the mask only, where both pictures agree best, and smoothed along a track, so that the fit does
not flicker with each frame.
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


_MAX_CONTRAST = 1.1
"""Largest change of contrast beyond that of the light, along any direction of colour."""
_THIN_SIDE = 48


_MAPS = {"mkl": color.mkl_map, "reinhard": color.reinhard_map, "mean": color.mean_map}


def _thinned(picture: NDArray) -> NDArray:
    """Return every n-th pixel of a (C, S, S) picture: statistics need no more than some thousands."""
    step = max(1, picture.shape[-1] // _THIN_SIDE)
    return picture[:, ::step, ::step]


class ColorMatcher:
    """Keeps the colour statistics of each track."""

    def __init__(self, kind: str = "mkl") -> None:
        """Begin without memory.

        Args:
            kind: "mkl", "reinhard" or "mean".
        """
        self._kind = kind
        self._state: dict[tuple[int, int], tuple[Statistics, Statistics]] = {}
        self._count: dict[tuple[int, int], int] = {}

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
                self._follow(key, *color.paired_statistics(_thinned(new), _thinned(old), _thinned(mask)))
            if key in self._state:
                source, target = self._state[key]
                fit = color.limited(_MAPS[self._kind](source, target), source.mean, _MAX_CONTRAST)
                new = np.clip(color.transform(new, fit), 0, 1)
            results.append(new)
        return results

    def _follow(self, key: tuple[int, int], new: Statistics, old: Statistics) -> None:
        if key in self._state:
            last_new, last_old = self._state[key]
            self._count[key] += 1
            # A plain mean at first: otherwise the first frame alone would count as much as the next dozen.
            weight = max(_FOLLOW, 1 / self._count[key])
            self._state[key] = last_new.blended(new, weight), last_old.blended(old, weight)
        else:
            self._state[key], self._count[key] = (new, old), 1
