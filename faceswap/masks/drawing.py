"""Drawing into patches from template coordinates."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.types import CropSpec

_SUBPIXEL_BITS = 8
"""OpenCV's polygons take fixed-point corners: edges then move smoothly with the points, without jumps of a px."""


def canonical_grid(crop: CropSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (S, S) x and y of the centre of each px of a crop, in template coordinates."""
    matrix = geometry.invert(geometry.patch_from_canonical(crop))
    centres = np.arange(crop.size) + 0.5
    # A crop is upright in the template: x depends on the column only, y on the row.
    x, y = geometry.apply(matrix, np.stack([centres, centres], axis=1)).T
    grid_x, grid_y = np.meshgrid(x, y)
    return grid_x, grid_y


def fill(polygons: list[NDArray], crop: CropSpec) -> NDArray[np.float32]:
    """Return (S, S) in [0, 1]: 1 inside any of the closed polygons, with an edge one px wide.

    Args:
        polygons: (N, 2) corners in template coordinates.
    """
    canvas = np.zeros((crop.size, crop.size), dtype=np.uint8)
    matrix = geometry.patch_from_canonical(crop)
    for polygon in polygons:
        corners = geometry.apply(matrix, polygon) - 0.5  # OpenCV counts from the centre of px 0
        fixed = np.rint(corners * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(canvas, [fixed], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    filled: NDArray[np.float32] = canvas.astype(np.float32) / np.float32(255)
    return filled


def grown(polygon: NDArray, distance: float) -> NDArray[np.float64]:
    """Return a closed polygon with its corners moved outwards, along the mean direction of their two sides.

    A line that goes forth and back becomes a band `distance` wide on either side.
    """
    before, after = np.roll(polygon, 1, axis=0), np.roll(polygon, -1, axis=0)
    along = after - before
    # The winding tells which side is out; a line there and back has none, and its own direction serves.
    area = np.sum(polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1])
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) * (1 if area >= 0 else -1)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return polygon + distance * normal / np.maximum(length, 1e-9)
