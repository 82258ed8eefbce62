"""Colour of the face over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.figures.seam import delta_e_lab

_SECOND_DIFFERENCE = np.sqrt(6.0)
"""Standard deviation of the second difference of white noise of deviation 1."""


def mean_lab(lab: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """Return the (3,) mean L*, a*, b* under a weight.

    Args:
        lab: (3, h, w) CIE L*, a*, b*. weight: (h, w) [0, 1], some of it above 0.
    """
    weights = weight.ravel().astype(np.float32)
    return (lab.reshape(3, -1) @ weights).astype(np.float64) / float(weights.sum(dtype=np.float64))


def skin_match(before: NDArray, after: NDArray) -> float:
    """Return dE2000 between the mean colours of a face in a shot, result against input; below 2 is good.

    Args:
        before, after: (T, 3) mean L*, a*, b* per frame.
    """
    return float(delta_e_lab(before.mean(axis=0), after.mean(axis=0)))


def skin_drift(before: NDArray, after: NDArray) -> float:
    """Return by how much (Lab units) the face's cast differs between the first and the last third of a shot.

    Args:
        before, after: (T, 3) mean L*, a*, b* per frame, T >= 3.
    """
    if len(before) < 3:
        return 0.0
    cast, third = after - before, len(before) // 3
    return float(np.linalg.norm(cast[-third:].mean(axis=0) - cast[:third].mean(axis=0)))


def flicker(before: NDArray, after: NDArray) -> float:
    """Return the frame-to-frame noise (Lab units) that the swap added to the face's mean colour; 0 is perfect.

    Second differences of the cast: a constant cast and one that changes evenly count nothing.

    Args:
        before, after: (T, 3) mean L*, a*, b* per frame; fewer than 4 frames give 0.
    """
    if len(before) < 4:
        return 0.0
    return float(np.linalg.norm(np.diff(after - before, n=2, axis=0).std(axis=0)) / _SECOND_DIFFERENCE)
