"""Small upright RGB pictures of a frame (or a part of it) for the detector, made straight from its planes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color, geometry, resample
from faceswap.types import Frame, Matrix

Orientation = NDArray[np.float64] | None
"""(2, 2) upright-from-stored right-angle turn or mirror; None = upright."""


def upright_from_frame(size: tuple[int, int], orientation: Orientation) -> tuple[Matrix, tuple[int, int]]:
    """Return the map from stored to displayed px, and the displayed size (h, w)."""
    if orientation is None:
        return geometry.translation(0, 0), size
    corners = geometry.corners_of(size) @ orientation.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.column_stack([orientation, -low]), (round(high[1] - low[1]), round(high[0] - low[0]))


def sample_rgb(frame: Frame, view_from_frame: Matrix, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a (3, h, w) float32 RGB [0, 1] picture sampled from the frame's planes.

    The planes are warped first and turned into RGB at the view's size: resampling and the YUV matrix commute. Nothing
    is rounded on the way: the error stays below 0.03 of a 16-bit code.
    """
    codes = np.stack(_sampled(frame, view_from_frame, size, as_float=True)).astype(np.float32, copy=False)
    return np.clip(color.transform(codes, color.rgb_from_codes(frame.color)), 0, 1)


def render_view(frame: Frame, view_from_frame: Matrix, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a (h, w, 3) uint8 picture of the frame, for looking at: codes are rounded once more than in `sample_rgb`."""
    codes = cv2.merge(_sampled(frame, view_from_frame, size, as_float=False)).astype(np.float32)
    affine = color.rgb_from_codes(frame.color)
    rgb = cv2.transform(codes, np.column_stack([affine.linear, affine.offset]) * 255)
    return cv2.convertScaleAbs(np.maximum(rgb, 0))


def _sampled(frame: Frame, view_from_frame: Matrix, size: tuple[int, int], *, as_float: bool) -> list[NDArray]:
    chroma = geometry.compose(view_from_frame, geometry.luma_from_chroma(frame.layout.chroma_shift, frame.color.siting))
    return [
        resample.warp(plane, matrix, size, as_float=as_float)
        for plane, matrix in zip(frame.planes[:3], (view_from_frame, chroma, chroma), strict=True)
    ]


def square_view(size: int, side: float, below_eyes: float) -> Matrix:
    """Return `FaceNetwork.patch_from_canonical` of a network that takes an upright square.

    Args:
        size: px. side: what it shows, inter-ocular distances. below_eyes: how far its centre lies below the eyes, the same.
    """
    scale = size / side
    return np.array([[scale, 0.0, size / 2], [0.0, scale, size / 2 - scale * below_eyes]])
