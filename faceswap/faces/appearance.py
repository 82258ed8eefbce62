"""What a face looks like, in a few numbers: to know it again some frames later in the same shot, not to know a person.

Colour (of skin, hair, what is around the head) and coarse light and shade of the aligned head. No network: an identity
encoder, where there is one, tells people apart across shots.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.faces.align import frame_from_canonical
from faceswap.types import Matrix

_SIZE = 32
_SIDE, _BELOW_EYES = 4.2, 0.35
"""Part of the head that is looked at, inter-ocular distances."""
_SHAPE_GRID, _COLOR_GRID = 8, 4
_COLOR_SCALE = 40.0
"""Difference of chroma (8-bit codes) that counts as much as a picture of light and shade without any likeness."""


def describe(picture: NDArray[np.uint8], landmarks: NDArray[np.float64], scheme: str) -> NDArray[np.float32]:
    """Return (96,) numbers; `likeness` compares two.

    Args:
        picture: (H, W, 3) RGB. landmarks: of the face in it, px.
    """
    scale = _SIZE / _SIDE
    patch_from_canonical = np.array([[scale, 0, _SIZE / 2], [0, scale, _SIZE / 2 - scale * _BELOW_EYES]])
    matrix: Matrix = geometry.compose(patch_from_canonical, geometry.invert(frame_from_canonical(landmarks, scheme)))
    patch = resample.warp(picture, matrix, (_SIZE, _SIZE)).astype(np.float32)
    luma = patch @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    grid = cv2.resize(luma, (_SHAPE_GRID, _SHAPE_GRID), interpolation=cv2.INTER_AREA).ravel()
    shape = grid - grid.mean()
    shape /= max(float(np.linalg.norm(shape)), 1.0)
    mean = cv2.resize(patch, (_COLOR_GRID, _COLOR_GRID), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    chroma = (mean[:, [0, 2]] - mean[:, [1]]).ravel() / (_COLOR_SCALE * _COLOR_GRID)
    return np.concatenate([shape, chroma]).astype(np.float32)


def likeness(a: NDArray[np.float32] | None, b: NDArray[np.float32] | None) -> float:
    """Return how alike two faces look, 0 to 1; where one was not looked at, nothing speaks against it: 1."""
    if a is None or b is None:
        return 1.0
    difference = a - b
    return float(np.exp(-0.7 * difference @ difference))
