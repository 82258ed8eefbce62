"""Edges of masks: onto edges of the picture, softened, closed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SUPPORT_FLOOR = 1 / 512
"""Alphas below this cannot change a 8-bit sample by half a code; they are 0, so that the sample stays untouched."""


def guided_filter(mask: NDArray, guide: NDArray, *, radius: int, eps: float = 1e-3) -> NDArray[np.float32]:
    """Return the mask with its edges moved to edges of the picture (He, Sun & Tang 2013, grey guide).

    Args:
        mask: (1, S, S); guide: (3, S, S) RGB [0, 1]; radius in px; eps in squared intensity.
    """

    def mean(image: NDArray) -> NDArray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    grey, alpha = guide.mean(axis=0).astype(np.float32), mask[0].astype(np.float32)
    grey_mean, alpha_mean = mean(grey), mean(alpha)
    slope = (mean(grey * alpha) - grey_mean * alpha_mean) / (mean(grey * grey) - grey_mean**2 + eps)
    offset = alpha_mean - slope * grey_mean
    return np.clip(mean(slope) * grey + mean(offset), 0, 1)[None]


def shape_edge(mask: NDArray, *, erode: float, feather: float) -> NDArray[np.float32]:
    """Return the mask shrunk by `erode` px with a soft edge `feather` px wide that lies inside the shrunk mask.

    Args:
        mask: (1, S, S).
        erode: px taken off all around; 0 = none.
        feather: full width of the ramp from 0 to 1, px.
    """
    inner = mask[0].astype(np.float32)
    # The blur below reaches half the feather outwards; shrinking by that much first keeps the ramp inside.
    shrink = round(erode + feather / 2)
    if shrink > 0:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * shrink + 1, 2 * shrink + 1))
        inner = cv2.erode(inner, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    if feather > 0:
        # Three sigma are half the feather: what lies beyond falls below the support's floor.
        inner = cv2.GaussianBlur(inner, (0, 0), feather / 6, borderType=cv2.BORDER_CONSTANT)
    return with_clean_support(inner[None])


def with_clean_support(mask: NDArray) -> NDArray[np.float32]:
    """Return the mask with values too small to matter set to exactly 0, and the outermost px of the patch closed."""
    result = np.where(mask < _SUPPORT_FLOOR, 0, mask).astype(np.float32)
    result[..., 0, :] = result[..., -1, :] = result[..., :, 0] = result[..., :, -1] = 0
    return result
