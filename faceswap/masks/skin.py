"""Masks from skin colours: what inside the hull does not look like this face's skin. For training truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.masks.drawing import canonical_grid
from faceswap.masks.edges import guided_filter
from faceswap.masks.hulls import face_hull, hull_radius
from faceswap.schemes import FIVE, anchors_of
from faceswap.types import CropSpec

CORE_ABOVE, CORE_BELOW_NOSE, CORE_EDGE = 0.66, 0.82, 0.15
"""Radii (1 = the outline) up to which everything is kept, beyond which only skin is, and the width between."""
EYE_RADII = (0.44, 0.26)
"""Of the places of lids and lashes, in inter-ocular distances: dark, outside the core, and kept."""
_SKIN_RING = (0.15, 0.72)
_SKIN_SHARE = 0.8
_SKIN_FLOOR = 0.03**2
_SKIN_SIGMAS = (4.0, 6.0)
_GUIDE_RADIUS = 0.02
"""Of the guided filter, in sides of the patch."""


def face_mask(
    canonical_landmarks: NDArray, crop: CropSpec, picture: NDArray, scheme: str = FIVE
) -> NDArray[np.float32]:
    """Return the hull without what does not look like this face's skin: hair over the forehead, background.

    The face's own skin colours are learnt inside the outline; near the outline, pixels far from them leave the mask.
    Eyes, brows and mouth lie inside the kept core. Used for training truth, from which the network learns its mask.

    Args:
        canonical_landmarks: (N, 2) points of `scheme` in inter-ocular units (template coordinates).
        picture: (3, S, S) RGB [0, 1], cut with `crop`.
    """
    anchors = anchors_of(canonical_landmarks, scheme)
    radius = hull_radius(anchors, crop)
    skin = _skin_likeness(picture, (radius > _SKIN_RING[0]) & (radius < _SKIN_RING[1]))
    core = face_core(canonical_landmarks, crop, scheme)
    hull = face_hull(canonical_landmarks, crop, scheme)
    filter_radius = max(2, round(_GUIDE_RADIUS * crop.size))
    smooth_skin = guided_filter(skin[None], picture, radius=filter_radius)
    return hull * np.maximum(core, smooth_skin)


def face_core(canonical_landmarks: NDArray, crop: CropSpec, scheme: str = FIVE) -> NDArray[np.float32]:
    """Return (1, S, S) what belongs to every face's mask: its middle, and the places of the eyes with lids and lashes.

    A network that learnt its masks from `face_mask` never saw one without it; where it says otherwise, it is unsure.
    """
    anchors = anchors_of(canonical_landmarks, scheme)
    radius = hull_radius(anchors, crop)
    # Fringes hang into the upper half; in the lower one an open mouth reaches far down.
    x, y = canonical_grid(crop)
    is_below = y > anchors[2, 1]
    core = np.clip((np.where(is_below, CORE_BELOW_NOSE, CORE_ABOVE) - radius) / CORE_EDGE + 0.5, 0, 1)
    for eye_x, eye_y in anchors[:2]:
        distance = np.hypot((x - eye_x) / EYE_RADII[0], (y - eye_y) / EYE_RADII[1])
        core = np.maximum(core, np.clip((1 - distance) / CORE_EDGE + 0.5, 0, 1))
    return core.astype(np.float32)[None]


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
