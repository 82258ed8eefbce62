"""Whether a network moves its output when its input moves: detail that sticks to the pixel grid swims on a moving face."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.models.swap_model import SwapModel

_SHIFTS = (0.25, 0.5, 0.75, 1.0)
_ROUNDS = 4
_FARTHEST = 4.0
"""px; what is farther off is no answer to a shift of one."""


def shift_error(model: SwapModel, patches: NDArray[np.float32], to: str) -> float:
    """Return by how many px (RMS) the output's shift differs from the input's when a still is shifted by 0.25 to 1 px.

    Karras et al. 2021 ask for translation equivariance of generators; below 0.1
    is good.

    Args:
        patches: (B, 3, S, S) RGB [0, 1], of the model's crop. to: the identity.
    """
    still = _outputs(model, patches, to)
    errors = []
    for shift in _SHIFTS:
        for dx, dy in ((shift, 0.0), (0.0, shift)):
            moved = np.stack([_shifted(patch, dx, dy) for patch in patches])
            for before, after in zip(still, _outputs(model, moved, to), strict=True):
                found = _shift_between(before, after)
                errors.append((found[0] - dx) ** 2 + (found[1] - dy) ** 2)
    return float(np.sqrt(np.mean(errors)))


def _outputs(model: SwapModel, patches: NDArray, to: str) -> NDArray[np.float32]:
    return model.swap(torch.from_numpy(np.ascontiguousarray(patches)), to=to).pixels.mean(dim=1).cpu().numpy()


def _shifted(patch: NDArray, dx: float, dy: float) -> NDArray[np.float32]:
    size = patch.shape[-1]
    matrix = geometry.translation(dx, dy)
    return np.stack([resample.warp(plane, matrix, (size, size), is_smooth=True) for plane in patch])


def _shift_between(before: NDArray, after: NDArray) -> NDArray[np.float64]:
    """Return the (x, y) px by which `before` has to be moved to look most like `after` (Lucas and Kanade 1981).

    By least squares over the middle of the picture, whatever the brightness. Phase correlation gives all frequencies the
    same weight, noise that nobody sees too, and is wrong by up to 0.3 px for shifts of half a pixel.
    """
    size = before.shape[-1]
    window = cv2.createHanningWindow((size, size), cv2.CV_32F).astype(np.float64)
    shift = np.zeros(2)
    for _ in range(_ROUNDS):
        moved = _shifted(before[None], *shift)[0].astype(np.float64)
        slope_y, slope_x = np.gradient(moved)
        columns = np.stack([-slope_x, -slope_y, np.ones_like(moved)], axis=-1) * window[..., None]
        missing = (after - moved) * window
        shift += np.linalg.lstsq(columns.reshape(-1, 3), missing.ravel(), rcond=None)[0][:2]
        shift = shift.clip(-_FARTHEST, _FARTHEST)
    return shift
