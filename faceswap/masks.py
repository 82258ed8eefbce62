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
_CORE_ABOVE, _CORE_BELOW_NOSE, _CORE_EDGE = 0.66, 0.82, 0.15
"""Radii (1 = the outline) up to which everything is kept, beyond which only skin is, and the width between."""
_EYE_RADII = (0.44, 0.26)
"""Of the places of lids and lashes, in inter-ocular distances: dark, outside the core, and kept."""
_SKIN_RING = (0.15, 0.72)
_SKIN_SHARE = 0.8
_SKIN_FLOOR = 0.03**2
_SKIN_SIGMAS = (4.0, 6.0)
_GUIDE_RADIUS = 0.02
"""Of the guided filter, in sides of the patch."""
_SUPPORT_FLOOR = 1 / 512
"""Alphas below this cannot change a 8-bit sample by half a code; they are 0, so that the sample stays untouched."""


def face_hull(canonical_landmarks: NDArray, crop: CropSpec) -> NDArray[np.float32]:
    """Return the outline of a face as a soft-edged (1, S, S) mask.

    A turned head shows less of its far side: the side the nose points to is narrowed.

    Args:
        canonical_landmarks: (5, 2) points in inter-ocular units (the FIVE scheme, template coordinates).
    """
    distance = (1 - _hull_radius(canonical_landmarks, crop)) * _HALF_WIDTH
    px_per_unit = geometry.scale_of(geometry.patch_from_canonical(crop))
    return np.clip(distance * px_per_unit + 0.5, 0, 1).astype(np.float32)[None]


def _hull_radius(canonical_landmarks: NDArray, crop: CropSpec) -> NDArray[np.float64]:
    """Return (S, S) distances from the face's centre: 1 on the outline."""
    eyes, nose = canonical_landmarks[:2].mean(axis=0), canonical_landmarks[2]
    turn = float(np.clip(nose[0] - eyes[0], -0.6, 0.6))
    far, near = _FAR_SIDE_PER_NOSE_SHIFT * abs(turn), _NEAR_SIDE_PER_NOSE_SHIFT * abs(turn)
    right = _HALF_WIDTH + (near if turn < 0 else -far)
    left = _HALF_WIDTH + (near if turn > 0 else -far)
    x, y = _canonical_grid(crop)
    x, y = x - eyes[0], y - eyes[1] - _CENTRE_BELOW_EYES
    radius = (np.abs(x) / np.where(x > 0, right, left)) ** _ROUNDNESS
    radius += (np.abs(y) / np.where(y > 0, _DOWN, _UP)) ** _ROUNDNESS
    return radius ** (1 / _ROUNDNESS)


def face_mask(canonical_landmarks: NDArray, crop: CropSpec, picture: NDArray) -> NDArray[np.float32]:
    """Return the hull without what does not look like this face's skin: hair over the forehead, background.

    The face's own skin colours are learnt inside the outline; near the outline, pixels far from them leave the mask.
    Eyes, brows and mouth lie inside the kept core. Used for training truth, from which the network learns its mask.

    Args:
        picture: (3, S, S) RGB [0, 1], cut with `crop`.
    """
    radius = _hull_radius(canonical_landmarks, crop)
    skin = _skin_likeness(picture, (radius > _SKIN_RING[0]) & (radius < _SKIN_RING[1]))
    # Fringes hang into the upper half; in the lower one an open mouth reaches far down.
    x, y = _canonical_grid(crop)
    is_below = y > canonical_landmarks[2, 1]
    core = np.clip((np.where(is_below, _CORE_BELOW_NOSE, _CORE_ABOVE) - radius) / _CORE_EDGE + 0.5, 0, 1)
    for eye_x, eye_y in canonical_landmarks[:2]:
        distance = np.hypot((x - eye_x) / _EYE_RADII[0], (y - eye_y) / _EYE_RADII[1])
        core = np.maximum(core, np.clip((1 - distance) / _CORE_EDGE + 0.5, 0, 1))
    hull = face_hull(canonical_landmarks, crop)
    filter_radius = max(2, round(_GUIDE_RADIUS * crop.size))
    smooth_skin = guided_filter(skin[None], picture, radius=filter_radius)
    return hull * np.maximum(core.astype(np.float32), smooth_skin)


def _skin_likeness(picture: NDArray, sample: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (S, S) in [0, 1]: how near each pixel is to the colours of the sampled pixels, the oddest left out."""
    colors = picture.reshape(3, -1).T.astype(np.float64)
    chosen = colors[sample.ravel()]
    for _ in range(2):  # the median start and one trimming keep nostrils, lashes and strands out
        distance = np.linalg.norm(chosen - np.median(chosen, axis=0), axis=1)
        chosen = chosen[distance <= np.quantile(distance, _SKIN_SHARE)]
    covariance = np.cov(chosen.T) / _SKIN_SHARE**2 + _SKIN_FLOOR * np.eye(3)
    offset = colors - chosen.mean(axis=0)
    sigmas = np.sqrt(np.einsum("ij,jk,ik->i", offset, np.linalg.inv(covariance), offset))
    return (
        np.clip((_SKIN_SIGMAS[1] - sigmas) / (_SKIN_SIGMAS[1] - _SKIN_SIGMAS[0]), 0, 1)
        .reshape(picture.shape[1:])
        .astype(np.float32)
    )


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
        # Three sigma are half the feather: what lies beyond falls below the support's floor.
        inner = cv2.GaussianBlur(inner, (0, 0), feather / 6, borderType=cv2.BORDER_CONSTANT)
    return with_clean_support(inner[None])


def with_clean_support(mask: NDArray) -> NDArray[np.float32]:
    """Return the mask with values too small to matter set to exactly 0, and the outermost px of the patch closed."""
    result = np.where(mask < _SUPPORT_FLOOR, 0, mask).astype(np.float32)
    result[..., 0, :] = result[..., -1, :] = result[..., :, 0] = result[..., :, -1] = 0
    return result
