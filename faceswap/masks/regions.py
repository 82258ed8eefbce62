"""Parts of a face that stay the actor's own: soft shapes of eyes, brows, nose, mouth and teeth."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import UsageError
from faceswap.masks.drawing import fill, grown
from faceswap.schemes import SCHEMES, anchors_of
from faceswap.types import CropSpec, Face

Region = Literal["eyes", "mouth", "brows", "nose", "teeth"]
REGIONS: tuple[Region, ...] = get_args(Region)

_MARGIN: Mapping[str, float] = {"eyes": 0.10, "mouth": 0.08, "brows": 0.09, "nose": 0.12, "teeth": 0.0}
"""How far a region reaches beyond its contour (lids, lashes, the rim of the lips), in inter-ocular distances."""
_SOFT = 0.10
"""Width of a region's soft edge, half of it outside, in inter-ocular distances."""
_ELLIPSE_STEPS = 32
_EYE_RADII, _BROW_RADII, _BROW_SHIFT = (0.36, 0.22), (0.40, 0.15), (0.07, -0.42)
_NOSE_HALF_WIDTH, _NOSE_BELOW_EYES, _NOSE_BEYOND_TIP = 0.30, 0.15, 0.28
_MOUTH_BEYOND_CORNERS, _MOUTH_HALF_HEIGHT, _MOUTH_BELOW_CORNERS = 0.12, 0.33, 0.06
_SMOOTHING = np.array([-2, 3, 6, 7, 6, 3, -2]) / 21
"""Savitzky & Golay 1964, 7 points, quadratic: no lag, and a steady movement stays as it is."""
_NOISE_SIGMAS = (1.25, 2.5)
"""A point that the smoothing moves by more than the track's usual noise is a blink, not noise: it stays where it was."""


def require_regions(regions: Collection[str], scheme: str) -> None:
    """Raise UsageError when a scheme's points do not show these regions."""
    if "teeth" in regions and not SCHEMES[scheme].parts:
        raise UsageError(
            f"teeth cannot be kept with the {SCHEMES[scheme].num_points} points of the scheme {scheme!r}: they do not show "
            "the lips; analyse the clip with a landmarker of 68, 66 or 468 points, or keep the mouth"
        )


def region_mask(
    canonical_landmarks: NDArray, crop: CropSpec, regions: Collection[str], scheme: str, *, soft: float = _SOFT
) -> NDArray[np.float32]:
    """Return where these regions are: (1, S, S) in [0, 1], with soft edges.

    Five points give ellipses at the anchors; denser schemes the contours themselves.

    Args:
        canonical_landmarks: (N, 2) points of `scheme` in template coordinates.
        soft: width of the edge, half of it outside, in inter-ocular distances.

    Raises:
        UsageError: the scheme does not show a region. ShapeError: an unknown scheme, or another number of points.
    """
    require_regions(regions, scheme)
    anchors = anchors_of(canonical_landmarks, scheme)
    parts = SCHEMES[scheme].parts
    polygons: list[NDArray] = []
    for region in regions:
        if parts:
            contours = [canonical_landmarks[list(contour)] for contour in parts[region]]
            polygons += [grown(contour, _MARGIN[region]) for contour in contours]
        else:
            polygons += _ellipses(region, anchors)
    px_per_unit = geometry.scale_of(geometry.patch_from_canonical(crop))
    # Three sigma are half the edge.
    return cv2.GaussianBlur(fill(polygons, crop), (0, 0), max(0.3, soft * px_per_unit / 6))[None]


def _ellipses(region: str, anchors: NDArray) -> list[NDArray[np.float64]]:
    left_eye, right_eye, nose, left_mouth, right_mouth = anchors
    if region == "eyes":
        return [_ellipse(eye, _EYE_RADII, right_eye - left_eye) for eye in (left_eye, right_eye)]
    if region == "brows":
        shifts = ((left_eye, -_BROW_SHIFT[0]), (right_eye, _BROW_SHIFT[0]))
        return [_ellipse(eye + np.array([dx, _BROW_SHIFT[1]]), _BROW_RADII, right_eye - left_eye) for eye, dx in shifts]
    if region == "nose":
        root = (left_eye + right_eye) / 2
        down = (nose - root) / max(float(np.linalg.norm(nose - root)), 1e-6)
        root, tip = root + down * _NOSE_BELOW_EYES, nose + down * _NOSE_BEYOND_TIP
        half = float(np.linalg.norm(tip - root)) / 2
        return [_ellipse((root + tip) / 2, (half, _NOSE_HALF_WIDTH), tip - root)]
    across = right_mouth - left_mouth
    half = float(np.linalg.norm(across)) / 2 + _MOUTH_BEYOND_CORNERS
    middle = (left_mouth + right_mouth) / 2 + [0, _MOUTH_BELOW_CORNERS]
    return [_ellipse(middle, (half, _MOUTH_HALF_HEIGHT), across)]


def _ellipse(centre: NDArray, radii: tuple[float, float], along: NDArray) -> NDArray[np.float64]:
    """Return an ellipse as a polygon; `radii` along and across a direction."""
    axis = along / max(float(np.linalg.norm(along)), 1e-6)
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_STEPS, endpoint=False)
    first, second = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    return centre + first[:, None] * axis + second[:, None] * np.array([-axis[1], axis[0]])


def steadied(chosen: Mapping[int, Sequence[Face]], cuts: Collection[int] = ()) -> dict[int, list[Face]]:
    """Return faces by frame with the noise of their landmarks taken out along each track, without lag.

    Points are smoothed in template coordinates, where a turning or nearing head does not move them, over seven frames around
    each. Where that would move a point by clearly more than its usual noise, it is moving itself (a blink, speech) and stays.
    Nothing is smoothed across frames in which the face is not seen.

    Args:
        cuts: first frames of shots; nothing is smoothed across them either (tracks joined by hand may run on there).
    """
    runs: list[list[Face]] = []
    latest: dict[int, list[Face]] = {}
    for frame in sorted(chosen):
        for face in chosen[frame]:
            run = latest.get(face.track)
            if run is None or run[-1].frame != frame - 1 or frame in cuts:
                run = latest[face.track] = []
                runs.append(run)
            run.append(face)
    points = {id(face): new for run in runs for face, new in zip(run, _smoothed(run), strict=True)}
    return {
        frame: [replace(face, landmarks=points[id(face)]) for face in faces] for frame, faces in sorted(chosen.items())
    }


def _smoothed(faces: Sequence[Face]) -> Sequence[NDArray[np.float64]]:
    half = len(_SMOOTHING) // 2
    matrices = [face.frame_from_canonical for face in faces if face.frame_from_canonical is not None]
    is_regular = len({(face.scheme, len(face.landmarks)) for face in faces}) == 1
    if len(faces) < len(_SMOOTHING) or not is_regular or len(matrices) < len(faces):
        return [face.landmarks for face in faces]
    inverse = map(geometry.invert, matrices)
    canonical = np.stack([geometry.apply(m, face.landmarks) for m, face in zip(inverse, faces, strict=True)])
    smooth = canonical.copy()
    inner = slice(half, len(faces) - half)
    windows = (weight * canonical[i : len(faces) - 2 * half + i] for i, weight in enumerate(_SMOOTHING))
    smooth[inner] = np.sum(list(windows), axis=0)
    moved = np.linalg.norm(smooth - canonical, axis=2)
    noise = np.maximum(1.48 * np.median(moved[inner], axis=0), 1e-9)
    low, high = _NOISE_SIGMAS
    own = np.clip((moved / noise - low) / (high - low), 0, 1)[..., None]
    steady = smooth + own * (canonical - smooth)
    return [geometry.apply(matrix, points) for matrix, points in zip(matrices, steady, strict=True)]
