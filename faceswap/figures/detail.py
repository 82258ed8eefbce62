"""Sharpness and grain, measured in pixels of the frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BAND_SIGMAS = (0.45, 1.2)
"""Of two Gaussians whose difference passes 0.15 to 0.4 cycles a px at half amplitude and more."""
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
TRIM, TRIMMED_TO_SIGMA = 0.8, 0.5587
"""Mean of the smallest four fifths of |x|, x normal of deviation 1; a median would jump between the steps of 8-bit codes."""
_UNSEEN = 0.15
"""Noise (8-bit codes) that nobody sees; half of what rounding leaves."""
SLOPE_SIGMA = 2.0
"""Of the Gaussian before slopes are looked at."""
SMOOTH_SHARE = 0.5
"""Grain is read off the smoothest half of a region: edges and lashes are not grain."""


def band_energy(luma: NDArray, weight: NDArray) -> float:
    """Return the RMS of the band 0.15 to 0.4 cycles a px under a weight.

    The sharpness ratio is this figure of the result over that of the untouched input; 0.9 to 1.1 is good, below is soft.

    Args:
        luma: (h, w) float32. weight: (h, w) [0, 1].
    """
    total = float(weight.sum())
    if total <= 0:
        return float("nan")
    return float(np.sqrt((np.square(band(luma)) * weight).sum() / total))


def band(luma: NDArray) -> NDArray[np.float32]:
    """Return the band 0.15 to 0.4 cycles a px of a (h, w) float32 plane."""
    fine, coarse = (cv2.GaussianBlur(luma, (0, 0), sigma) for sigma in BAND_SIGMAS)
    return fine - coarse


def grain(luma: NDArray, region: NDArray) -> tuple[float, float]:
    """Return the standard deviation of the noise in the smooth part of a region, and at half the resolution.

    Immerkaer 1996: a difference of two Laplacians has no answer to edges and ramps; here over the smoothest half of the
    region, and without the largest fifth of the answers. The second figure over the first tells coarse grain from fine.

    Args:
        luma: (h, w) float32. region: (h, w) bool.
    """
    full, half = noise_levels(luma, region, 2)
    return float(full), float(half)


def noise_levels(luma: NDArray, region: NDArray, count: int) -> NDArray[np.float64]:
    """Return the deviation of the noise (`grain`) at full resolution, at half, at a quarter ... as (count,); NaN = too small.

    Args:
        luma: (h, w) float32. region: (h, w) bool.
    """
    levels = np.full(count, np.nan)
    for i in range(count):
        levels[i] = _noise(luma, region)
        if i + 1 < count and min(luma.shape) >= 2:
            luma = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
            region = cv2.resize(region.astype(np.uint8), luma.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return levels


def noise_answer(luma: NDArray) -> NDArray[np.float32]:
    """Return Immerkaer's filter of a (h, w) float32 plane: noise, next to no edges; a sixth of its deviation is the noise's."""
    return cv2.filter2D(luma, cv2.CV_32F, LAPLACIAN)


def _noise(luma: NDArray, region: NDArray) -> float:
    if np.count_nonzero(region) < 32:
        return float("nan")
    answer = np.abs(noise_answer(luma))[region]
    soft = cv2.GaussianBlur(luma, (0, 0), SLOPE_SIGMA)
    slope = cv2.magnitude(cv2.Scharr(soft, cv2.CV_32F, 1, 0), cv2.Scharr(soft, cv2.CV_32F, 0, 1))[region]
    middle = int(SMOOTH_SHARE * (len(slope) - 1))
    smooth = answer[slope <= np.partition(slope, middle)[middle]]
    count = max(1, int(TRIM * len(smooth)))
    return float(np.partition(smooth, count - 1)[:count].mean() / TRIMMED_TO_SIGMA / 6)


def grain_ratio(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return how much of the grain inside the mask is left, relative to what is left outside; 0.9 to 1.1 is good.

    Encoding takes grain from the whole picture; only what the face lost beyond that is the swap's doing.

    Args:
        before, after: (inside, outside) noise of the input and the result, in 8-bit codes.
    """
    # Compressed footage may hold no noise at all in a frame; what is too little to be seen is no ground for a ratio.
    inside, outside = (np.hypot(a, _UNSEEN) / np.hypot(b, _UNSEEN) for b, a in zip(before, after, strict=True))
    return float(inside / outside)


def grain_size_ratio(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return how much coarser the grain became: noise at half resolution over noise at full, result / input; 1 = the same.

    Args:
        before, after: (full, half resolution) noise inside the mask, in 8-bit codes (`grain`).
    """
    coarse, fine = (np.hypot(after[i], _UNSEEN) / np.hypot(before[i], _UNSEEN) for i in (1, 0))
    return float(coarse / fine)
