"""Figures of picture quality; each says what is good and where it comes from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color

_RING_GAP, _RING_WIDTH = 0.02, 0.05
"""Of the rings at the seam, in sides of the patch."""


def sharpness_ratio(swapped: NDArray, original: NDArray, mask: NDArray) -> float:
    """Return the ratio of fine detail in two patches under a mask; 1 = as sharp as the footage.

    Detail is the band between a Gaussian of sigma 0.7 px and one of sigma 2 px (about 0.1 to 0.35 cycles a px).

    Args:
        swapped, original: (3, S, S) RGB [0, 1]. mask: (1, S, S) [0, 1].
    """
    energies = [(_detail(picture) ** 2 * mask[0]).sum() for picture in (swapped, original)]
    return float(np.sqrt(energies[0] / max(energies[1], 1e-12)))


def _detail(picture: NDArray) -> NDArray[np.float32]:
    grey = picture.mean(axis=0).astype(np.float32)
    return cv2.GaussianBlur(grey, (0, 0), 0.7) - cv2.GaussianBlur(grey, (0, 0), 2.0)


def seam_delta_e(picture: NDArray, mask: NDArray) -> float:
    """Return dE2000 between the mean colours just inside and just outside the mask's edge.

    Compare it with the same figure of the untouched input: below 1 more is invisible, above 3 shows.

    Args:
        picture: (3, S, S) RGB [0, 1]. mask: (1, S, S) [0, 1], not touching the patch's border.
    """
    inside = (mask[0] > 0.5).astype(np.uint8)
    side = mask.shape[-1]
    gap, far = (max(1, round(share * side)) for share in (_RING_GAP, _RING_GAP + _RING_WIDTH))
    inner = _shrunk(inside, gap) & ~_shrunk(inside, far) & 1
    outer = _grown(inside, far) & ~_grown(inside, gap) & 1
    means = [color.masked_statistics(picture, ring).mean[:, None] for ring in (inner, outer)]
    return float(color.delta_e(means[0], means[1])[0])


def _kernel(radius: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _shrunk(mask: NDArray, radius: int) -> NDArray[np.uint8]:
    return cv2.erode(mask, _kernel(radius))


def _grown(mask: NDArray, radius: int) -> NDArray[np.uint8]:
    return cv2.dilate(mask, _kernel(radius))


def skin_delta_e(a: NDArray, b: NDArray, mask: NDArray) -> float:
    """Return dE2000 between the mean colours of two patches under a mask."""
    means = [color.masked_statistics(picture, mask).mean[:, None] for picture in (a, b)]
    return float(color.delta_e(means[0], means[1])[0])


def flicker(means: NDArray) -> float:
    """Return the standard deviation of the second difference of a colour over time.

    Args:
        means: (T, 3) mean L*, a*, b* of a face per frame, T >= 3.
    """
    return float(np.linalg.norm(np.diff(means, n=2, axis=0).std(axis=0)))
