"""The scene's light on the swapped face: the coarse bands of the picture stay the footage's own.

A global match gives the face the right mean colour; it cannot move a shadow from one cheek to the other, nor follow light that
flickers. As in multi-band blending (Burt & Adelson 1983) the coarsest band is taken from the target and the fine ones from the
swap, and the band between them is blended over a width of its own: along the mask's edge it is the target's, where eyes and mouth
are the swap's. All is measured under the mask only: what is outside has no say in it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GAMMA = 2.2
"""Stands for the footage's transfer curve: a ratio of blurred light needs no better."""
SIGMA = 0.11
"""Of the coarse band, in sides of the patch: wider than features, narrower than the light across a face."""
EDGE_SIGMA = 0.02
"""Of the band that is blended along the edge."""
EDGE_DEPTH = 0.08
"""How far inside the mask's contour it is the swap's again, in sides of the patch: before the eyes begin."""
EDGE_MOST = 0.15
"""Largest step at the edge that is taken for light: what differs more is hair."""
MAX_GAIN = 1.8
MIN_WEIGHT = 0.02
FLOOR = 0.002
"""Linear light below which a ratio means nothing."""


def keep_light(
    swapped: NDArray[np.float32], original: NDArray[np.float32], mask: NDArray[np.float32], strength: float = 1.0
) -> NDArray[np.float32]:
    """Return the swapped patch under the original's light.

    Args:
        swapped, original: (3, S, S) RGB [0, 1]. mask: (1, S, S) [0, 1], without what covers the face.
        strength: 0 = as it was, 1 = all of the light.

    Returns:
        (3, S, S) RGB [0, 1]; gains stay within a factor of 1.8.
    """
    if strength <= 0 or float(mask.max()) < MIN_WEIGHT:
        return swapped
    weight = mask[0].astype(np.float32)
    lit = swapped * _gains(swapped, original, weight, strength)
    lit += np.float32(strength) * _edge_steps(lit, original, weight)
    return np.clip(lit, 0, 1, out=lit)


def _gains(swapped: NDArray, original: NDArray, weight: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    """Return (3, S, S) factors that give the patch the original's coarsest band: a ratio in linear light (light multiplies)."""
    size, step = len(weight), _step(len(weight), SIGMA)
    sigma = SIGMA * size / step
    small = _shrunk(weight, step)
    low_weight = _blurred(small, sigma)
    known = np.clip(low_weight / (4 * MIN_WEIGHT), 0, 1)
    gains = []
    for planes in zip(swapped, original, strict=True):
        new, old = (_blurred(_light(_shrunk(plane * weight, step), small), sigma) for plane in planes)
        share = np.maximum(low_weight, MIN_WEIGHT)
        gain = np.clip((old / share + FLOOR) / (new / share + FLOOR), 1 / MAX_GAIN, MAX_GAIN)
        # Far from the mask nothing is known; the gain fades to 1 there, where nothing is seen anyway.
        gains.append(_enlarged(1 + known * (gain ** np.float32(strength / GAMMA) - 1), size))
    return np.stack(gains)


def _light(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weighted linear light of weighted coded values."""
    return np.power(np.clip(weighted / np.maximum(weight, 1e-3), 0, 1), np.float32(GAMMA)) * weight


def _edge_steps(swapped: NDArray, original: NDArray, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (3, S, S): what is to be added along the mask's edge, so that the band above features goes on across it."""
    size, step = len(weight), _step(len(weight), EDGE_SIGMA)
    sigma = EDGE_SIGMA * size / step
    depth = cv2.distanceTransform((weight > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / np.float32(EDGE_DEPTH * size)
    inside = _shrunk(np.minimum(depth, 1), step)
    near = 1 - inside * inside * (3 - 2 * inside)
    share = np.maximum(_blurred(_shrunk(weight, step), sigma), MIN_WEIGHT)
    steps = (_blurred(_shrunk((old - new) * weight, step), sigma) for new, old in zip(swapped, original, strict=True))
    return np.stack([_enlarged(near * np.clip(each / share, -EDGE_MOST, EDGE_MOST), size) for each in steps])


def _step(size: int, sigma: float) -> int:
    """Return by how much a patch may be shrunk before it is blurred by `sigma` of its sides: as far as that loses nothing."""
    return next((n for n in (8, 4, 2) if sigma * size >= 1.2 * n and size % n == 0), 1)


def _shrunk(plane: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    return (
        cv2.resize(plane, (len(plane) // step, len(plane) // step), interpolation=cv2.INTER_AREA) if step > 1 else plane
    )


def _enlarged(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return cv2.resize(plane, (size, size), interpolation=cv2.INTER_LINEAR)


def _blurred(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return a plane blurred over black: divided by the blurred weight, what is outside has no say."""
    return cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
