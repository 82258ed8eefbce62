"""The outline of a face, from any landmark scheme."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.masks.drawing import canonical_grid, fill
from faceswap.schemes import FIVE, SCHEMES, Scheme, anchors_of
from faceswap.types import CropSpec

# The face's outline around the five points, in inter-ocular distances (measured on frontal faces): from just above
# the brows to the chin, inside the cheeks' contour.
HALF_WIDTH = 1.14
_CENTRE_BELOW_EYES = 0.50
_UP = 1.42
_DOWN = 1.30
ROUNDNESS = 2.3
"""Exponent of the superellipse: 2 is an ellipse, larger is squarer (jaw and temples)."""
_FAR_SIDE_PER_NOSE_SHIFT = 1.6
_NEAR_SIDE_PER_NOSE_SHIFT = 1.1
_MIN_FAR_SIDE = 0.5
"""A turned head shows less of its far side and more of its near one: fitted to the mesh's oval on ten clips."""
_ARC_STEPS = 17
_FEATURES = ("eyes", "nose", "mouth")


def face_hull(canonical_landmarks: NDArray, crop: CropSpec, scheme: str = FIVE) -> NDArray[np.float32]:
    """Return the outline of a face as a soft-edged (1, S, S) mask.

    Five points carry a superellipse; a turned head shows less of its far side, so the side the nose points to is narrowed and
    the other one widened.
    Schemes with a contour of the jaw give their own, a little inside the contour and closed over the brows by an arc as high
    as the superellipse, so that the hulls of one face agree whatever its scheme.

    Args:
        canonical_landmarks: (N, 2) points of `scheme` in inter-ocular units (template coordinates).

    Raises:
        ShapeError: an unknown scheme, or another number of points than it has.
    """
    anchors = anchors_of(canonical_landmarks, scheme)
    known = SCHEMES[scheme]
    if known.jaw:
        return fill([_contour(canonical_landmarks, anchors, known)], crop)[None]
    distance = (1 - hull_radius(anchors, crop)) * HALF_WIDTH
    px_per_unit = geometry.scale_of(geometry.patch_from_canonical(crop))
    return np.clip(distance * px_per_unit + 0.5, 0, 1).astype(np.float32)[None]


def hull_radius(anchors: NDArray, crop: CropSpec) -> NDArray[np.float64]:
    """Return (S, S) distances from the face's centre: 1 on the outline.

    Args:
        anchors: (5, 2) in template coordinates.
    """
    centre_x, centre_y, left, right, up, down = superellipse(anchors)
    x, y = canonical_grid(crop)
    x, y = x - centre_x, y - centre_y
    radius = (np.abs(x) / np.where(x > 0, right, left)) ** ROUNDNESS
    radius += (np.abs(y) / np.where(y > 0, down, up)) ** ROUNDNESS
    return radius ** (1 / ROUNDNESS)


def superellipse(anchors: NDArray) -> tuple[float, float, float, float, float, float]:
    """Return centre x, y and the reach to the left, right, up, down of the outline around (5, 2) anchors, template units."""
    eyes, nose = anchors[:2].mean(axis=0), anchors[2]
    turn = float(np.clip(nose[0] - eyes[0], -0.6, 0.6))
    far = max(_MIN_FAR_SIDE, HALF_WIDTH - _FAR_SIDE_PER_NOSE_SHIFT * abs(turn))
    near = HALF_WIDTH + _NEAR_SIDE_PER_NOSE_SHIFT * abs(turn)
    left, right = (near, far) if turn > 0 else (far, near)
    return float(eyes[0]), float(eyes[1]) + _CENTRE_BELOW_EYES, left, right, _UP, _DOWN


def _contour(points: NDArray, anchors: NDArray, scheme: Scheme) -> NDArray[np.float64]:
    """Return the closed polygon of a dense scheme's hull in template coordinates."""
    eyes = anchors[:2].mean(axis=0)
    centre = eyes + np.array([0, _CENTRE_BELOW_EYES])
    jaw = centre + (points[list(scheme.jaw)] - centre) * scheme.jaw_scale
    # From the right temple over the forehead to the left one: the superellipse's upper half, hung on the jaw's own ends.
    angles = np.linspace(0, np.pi, _ARC_STEPS)[1:-1]
    cos, sin = np.cos(angles), np.sin(angles)
    share_x = (1 + np.sign(cos) * np.abs(cos) ** (2 / ROUNDNESS)) / 2
    rise = np.abs(sin) ** (2 / ROUNDNESS)
    left, right = jaw[0], jaw[-1]
    foot = left + share_x[:, None] * (right - left)
    top = eyes[1] + _CENTRE_BELOW_EYES - _UP
    foot[:, 1] += rise * (top - foot[:, 1])
    # Networks place the far side of a turned jaw badly; it never cuts through eyes, nose or mouth.
    features = sorted({i for part in _FEATURES for contour in scheme.parts[part] for i in contour})
    corners = np.concatenate([jaw, foot, points[features]])
    return cv2.convexHull(corners.astype(np.float32))[:, 0].astype(np.float64)
