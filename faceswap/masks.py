"""Masks: float32 in [0, 1], 1 = take the swapped pixel. Distances are in patch px unless a name says otherwise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.types import CropSpec

# The face's outline around the five points, in inter-ocular distances (measured on frontal faces): from just above
# the brows to the chin, inside the cheeks' contour.
_HALF_WIDTH = 1.14
_CENTRE_BELOW_EYES = 0.50
_UP = 1.42
_DOWN = 1.30
_ROUNDNESS = 2.3
"""Exponent of the superellipse: 2 is an ellipse, larger is squarer (jaw and temples)."""
_FAR_SIDE_PER_NOSE_SHIFT = 0.9
_NEAR_SIDE_PER_NOSE_SHIFT = 0.2
_SUPPORT_FLOOR = 1 / 512
"""Alphas below this cannot change a 8-bit sample by half a code; they are 0, so that the sample stays untouched."""


def face_hull(canonical_landmarks: NDArray, crop: CropSpec) -> NDArray[np.float32]:
    """Return the outline of a face as a soft-edged (1, S, S) mask.

    A turned head shows less of its far side: the side the nose points to is narrowed.

    Args:
        canonical_landmarks: (5, 2) points in inter-ocular units (the FIVE scheme, template coordinates).
    """
    eyes, nose = canonical_landmarks[:2].mean(axis=0), canonical_landmarks[2]
    turn = float(np.clip(nose[0] - eyes[0], -0.6, 0.6))
    far, near = _FAR_SIDE_PER_NOSE_SHIFT * abs(turn), _NEAR_SIDE_PER_NOSE_SHIFT * abs(turn)
    right = _HALF_WIDTH + (near if turn < 0 else -far)
    left = _HALF_WIDTH + (near if turn > 0 else -far)
    x, y = _canonical_grid(crop)
    x, y = x - eyes[0], y - eyes[1] - _CENTRE_BELOW_EYES
    radius = (np.abs(x) / np.where(x > 0, right, left)) ** _ROUNDNESS
    radius += (np.abs(y) / np.where(y > 0, _DOWN, _UP)) ** _ROUNDNESS
    one_px = 1 / geometry.scale_of(geometry.patch_from_canonical(crop))
    distance = (1 - radius ** (1 / _ROUNDNESS)) * _HALF_WIDTH / one_px
    return np.clip(distance + 0.5, 0, 1).astype(np.float32)[None]


def _canonical_grid(crop: CropSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    matrix = geometry.invert(geometry.patch_from_canonical(crop))
    centres = np.arange(crop.size) + 0.5
    x, y = np.meshgrid(centres, centres)
    points = geometry.apply(matrix, np.stack([x.ravel(), y.ravel()], axis=1))
    return points[:, 0].reshape(x.shape), points[:, 1].reshape(x.shape)


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
        inner = cv2.GaussianBlur(inner, (0, 0), feather / 4, borderType=cv2.BORDER_CONSTANT)
    return with_clean_support(inner[None])


def with_clean_support(mask: NDArray) -> NDArray[np.float32]:
    """Return the mask with values too small to matter set to exactly 0, and the outermost px of the patch closed."""
    result = np.where(mask < _SUPPORT_FLOOR, 0, mask).astype(np.float32)
    result[..., 0, :] = result[..., -1, :] = result[..., :, 0] = result[..., :, -1] = 0
    return result
