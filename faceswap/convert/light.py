"""The scene's light on the swapped face: the coarsest band of the picture stays the footage's own.

A global match gives the face the right mean colour; it cannot move a shadow from one cheek to the other. As in multi-band
blending (Burt & Adelson 1983) the coarse band is taken from the target and the fine ones from the swap, here as a ratio in linear
light (light multiplies), under the mask only: what is outside has no say in it. The mean of each channel is left alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GAMMA = 2.2
"""Stands for the footage's transfer curve: a ratio of blurred light needs no better."""
SIGMA = 0.11
"""Of the coarse band, in sides of the patch: wider than features, narrower than the light across a face."""
MAX_GAIN = 1.8
MIN_WEIGHT = 0.02
FLOOR = 0.002
"""Linear light below which a ratio means nothing."""


def keep_light(
    swapped: NDArray[np.float32], original: NDArray[np.float32], mask: NDArray[np.float32], strength: float = 1.0
) -> NDArray[np.float32]:
    """Return the swapped patch under the original's coarse light.

    Args:
        swapped, original: (3, S, S) RGB [0, 1]. mask: (1, S, S) [0, 1], without what covers the face.
        strength: 0 = as it was, 1 = all of the light.

    Returns:
        (3, S, S) RGB [0, 1]; gains stay within a factor of 1.8.
    """
    if strength <= 0 or float(mask.max()) < MIN_WEIGHT:
        return swapped
    size = mask.shape[-1]
    weight = mask[0].astype(np.float32)
    low_weight = _coarse(weight, size)
    new, old = (np.power(np.clip(picture, 0, 1), GAMMA) for picture in (swapped, original))
    gains = np.empty_like(new)
    for gain, a, b in zip(gains, new, old, strict=True):
        share = np.maximum(low_weight, MIN_WEIGHT)
        coarse_new, coarse_old = (_coarse(light * weight, size) / share for light in (a, b))
        gain[:] = (coarse_old + FLOOR) / (coarse_new + FLOOR)
    gains = np.clip(gains, 1 / MAX_GAIN, MAX_GAIN) ** np.float32(strength / GAMMA)
    # Far from the mask nothing is known; the gain fades to 1 there, where nothing is seen anyway.
    known = np.clip(low_weight / (4 * MIN_WEIGHT), 0, 1)
    gains = 1 + known * (gains - 1)
    # The mean colour is the match's business, which keeps it steady over time.
    means = [(picture * weight).sum(axis=(1, 2)) for picture in (swapped, swapped * gains)]
    gains *= (means[0] / np.maximum(means[1], 1e-6))[:, None, None]
    return np.clip(swapped * gains, 0, 1).astype(np.float32)


def _coarse(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the coarse band of a (S, S) plane, computed at a quarter of the size where that loses nothing."""
    step = 4 if size >= 64 else 1
    small = cv2.resize(plane, (size // step, size // step), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), SIGMA * size / step, borderType=cv2.BORDER_CONSTANT)
    return cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR)
