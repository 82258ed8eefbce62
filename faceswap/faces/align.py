"""From landmarks to crops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import ShapeError
from faceswap.schemes import SCHEMES, anchors_of
from faceswap.types import CropSpec, Face, Matrix


def frame_from_canonical(landmarks: NDArray, scheme: str) -> Matrix:
    """Return the similarity that puts the mean face (inter-ocular units) onto these landmarks (px).

    Raises:
        ShapeError: an unknown landmark scheme, or another number of points.
    """
    anchors = anchors_of(landmarks, scheme)
    return geometry.fit_similarity(SCHEMES[scheme].template, anchors)


def canonical_from_frame(face: Face) -> Matrix:
    """Return the (2, 3) map from frame px to template coordinates (inter-ocular units) for an aligned face."""
    if face.frame_from_canonical is None:
        raise ShapeError(f"{face} is not aligned yet")
    return geometry.invert(face.frame_from_canonical)


def patch_from_frame(face: Face, crop: CropSpec) -> Matrix:
    """Return the (2, 3) map from frame px to patch px for an aligned face."""
    return geometry.compose(geometry.patch_from_canonical(crop), canonical_from_frame(face))


def canonical_landmarks(face: Face) -> NDArray[np.float64]:
    """Return a face's landmarks in template coordinates (inter-ocular units)."""
    return geometry.apply(canonical_from_frame(face), face.landmarks)
