"""Similarity transforms, crops and the places of samples.

Convention: coordinates are continuous (pixel i covers [i, i+1), centre i + 0.5). Matrices are float64 (2, 3),
named destination-from-source. What samples pictures under them: `resample`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import CropMismatchError
from faceswap.types import CropSpec, Matrix

CANONICAL = "five-1"
"""Name and version of the coordinates in which crops are defined: those of the mean frontal face, unit = inter-ocular
distance, origin between the eyes, y down. Each landmark scheme's template (`schemes`) lies in them."""

_CROPS: dict[str, dict[str, tuple[float, float, float]]] = {
    # Side, and where the crop's centre lies to the right of the middle between the eyes and below it, in inter-ocular
    # distances, by template and coverage.
    CANONICAL: {"face": (3.1, 0.0, 0.50), "whole_face": (3.7, 0.0, 0.40), "head": (5.4, 0.0, 0.15)},
    # What models in others' formats are trained on, fitted to the five points of their own crops: DeepFaceLab's whole
    # face (its "full face" has 0.749 of the side and no shift upwards of 0.07 of the unpadded square), and ArcFace's
    # 112 px with 8 px more on each side.
    "dfl-1": {"whole_face": (3.8555, 0.0379, 0.4211), "face": (2.888, 0.0379, 0.5477)},
    "arcface-1": {"face": (3.6322, -0.0119, 0.1106)},
}

SITINGS: dict[str, tuple[float, float]] = {
    # (x, y) way of a chroma sample from the middle of the luma samples it covers to their edge; -0.5 = onto the first.
    # The names are those of H.264 Annex E and FFmpeg.
    "left": (-0.5, 0.0),
    "center": (0.0, 0.0),
    "topleft": (-0.5, -0.5),
    "top": (0.0, -0.5),
    "bottomleft": (-0.5, 0.5),
    "bottom": (0.0, 0.5),
    # One field of an interlaced frame as a picture of its own (`field_siting`): chroma lines that lie between the
    # frame's lines sit at a quarter of the way between the lines of the upper field, at three quarters in the lower.
    "left, upper field": (-0.5, -0.25),
    "left, lower field": (-0.5, 0.25),
    "center, upper field": (0.0, -0.25),
    "center, lower field": (0.0, 0.25),
}


class Similarity(NamedTuple):
    """The four numbers of a similarity, in the form in which they can be smoothed."""

    log_scale: float
    angle: float
    """Radians."""
    x: float
    y: float


def fit_similarity(src: NDArray, dst: NDArray) -> Matrix:
    """Return the least-squares similarity that takes `src` to `dst`.

    Closed form in complex numbers: no reflection can arise, which is what faces need.

    Args:
        src, dst: (N, 2) points, N >= 2.

    Returns:
        (2, 3) dst-from-src.
    """
    src_mean, dst_mean = src.mean(axis=0), dst.mean(axis=0)
    a = (src - src_mean) @ np.array([1, 1j])
    b = (dst - dst_mean) @ np.array([1, 1j])
    ratio = np.vdot(a, b) / np.vdot(a, a)
    linear = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    return np.column_stack([linear, dst_mean - linear @ src_mean])


def to_similarity(matrix: Matrix) -> Similarity:
    """Split a similarity matrix into log-scale, angle and shift."""
    return Similarity(
        log_scale=float(np.log(scale_of(matrix))),
        angle=float(np.arctan2(matrix[1, 0], matrix[0, 0])),
        x=float(matrix[0, 2]),
        y=float(matrix[1, 2]),
    )


def from_similarity(params: Similarity) -> Matrix:
    """Inverse of `to_similarity`."""
    scale, cos, sin = np.exp(params.log_scale), np.cos(params.angle), np.sin(params.angle)
    return np.array([[scale * cos, -scale * sin, params.x], [scale * sin, scale * cos, params.y]])


def scale_of(matrix: Matrix) -> float:
    """Return the length scale of an affine matrix (square root of its area scale)."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def invert(matrix: Matrix) -> Matrix:
    """Return src-from-dst for dst-from-src."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def compose(a_from_b: Matrix, b_from_c: Matrix) -> Matrix:
    """Return a-from-c."""
    return np.column_stack([a_from_b[:, :2] @ b_from_c[:, :2], a_from_b[:, :2] @ b_from_c[:, 2] + a_from_b[:, 2]])


def apply(matrix: Matrix, points: NDArray) -> NDArray[np.float64]:
    """Transform (N, 2) points."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def scaling(x: float, y: float | None = None) -> Matrix:
    """Return the matrix that multiplies coordinates by (x, y); y defaults to x."""
    return np.array([[x, 0.0, 0.0], [0.0, x if y is None else y, 0.0]])


def translation(x: float, y: float) -> Matrix:
    """Return the matrix that adds (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def patch_from_canonical(crop: CropSpec) -> Matrix:
    """Return the (2, 3) map from template coordinates (inter-ocular units) to patch px."""
    found = _CROPS.get(crop.template, {}).get(crop.coverage)
    if found is None:
        known = "; ".join(f"{template!r} with {', '.join(crops)}" for template, crops in _CROPS.items())
        raise CropMismatchError(
            f"the crop {crop.coverage!r} with template {crop.template!r} is unknown; this version knows {known}"
        )
    side, right, below_eyes = found
    scale = crop.size / (side * (1 + 2 * crop.margin))
    return np.array([[scale, 0, crop.size / 2 - scale * right], [0, scale, crop.size / 2 - scale * below_eyes]])


def patch_from_patch(dst: CropSpec, src: CropSpec) -> Matrix:
    """Return the constant (2, 3) map between two crops of the same face.

    Raises:
        CropMismatchError: a template is unknown, or `src` does not hold all of `dst`.
    """
    matrix = compose(patch_from_canonical(dst), invert(patch_from_canonical(src)))
    corners = apply(invert(matrix), np.array([[0.0, 0.0], [dst.size, dst.size]]))
    if corners.min() < -0.01 * src.size or corners.max() > 1.01 * src.size:
        raise CropMismatchError(
            f"the faceset's crops ({src.coverage}, margin {src.margin:g}) do not hold all of the crop the model "
            f"needs ({dst.coverage}, margin {dst.margin:g}); extract again with --coverage {dst.coverage}"
        )
    return matrix


def luma_from_chroma(chroma_shift: tuple[int, int], siting: str) -> Matrix:
    """Return the (2, 3) map from chroma-plane coordinates to luma-plane coordinates.

    "left" siting puts chroma sample j on luma sample 2j (H.264 Annex E, type 0): half a luma px left of centre.
    """
    sy, sx = 2 ** chroma_shift[0], 2 ** chroma_shift[1]
    x, y = SITINGS[siting]
    return np.array([[sx, 0.0, x * (sx - 1)], [0.0, sy, y * (sy - 1)]])


def frame_from_field(parity: int) -> Matrix:
    """Return the (2, 3) map from a field's coordinates to the frame's; its line j is the frame's line 2j + parity.

    Args:
        parity: 0 = the upper field, 1 = the lower.
    """
    return np.array([[1.0, 0.0, 0.0], [0.0, 2.0, parity - 0.5]])


def field_siting(siting: str, parity: int) -> str:
    """Return where a field's chroma samples lie when the field is taken as a picture of its own."""
    name = f"{siting}, {('upper', 'lower')[parity]} field"
    # Lines of chroma that lie on lines of luma do so in each field.
    return name if name in SITINGS else siting


def bounding_rect(points: NDArray, size: tuple[int, int], pad: int = 0, multiple: int = 1) -> tuple[int, int, int, int]:
    """Return the integer rectangle (x0, y0, x1, y1), half-open, around points, clipped to `size` (h, w).

    Edges are multiples of `multiple` unless clipped by the right or lower picture edge. Empty = all zeros.
    """
    height, width = size
    low, high = np.floor(points.min(axis=0)) - pad, np.ceil(points.max(axis=0)) + pad
    x0, y0 = (max(0, int(v) // multiple * multiple) for v in low)
    x1, y1 = min(width, -(-int(high[0]) // multiple) * multiple), min(height, -(-int(high[1]) // multiple) * multiple)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else (0, 0, 0, 0)


def corners_of(size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the (4, 2) corner points of a picture of `size` (h, w)."""
    height, width = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
