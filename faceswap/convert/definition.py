"""As sharp as the footage: the finest band of the swapped patch gets the strength that it has in the target's skin.

A network's face is softer than the footage, or sharper than a frame that is blurred by motion or focus. Degrading the whole
frame to match the face would be the wrong way round.
"""

from __future__ import annotations

from collections.abc import Hashable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.figures.detail import band

SIGMA = 1.0
"""Of the Gaussian beyond which the finest band lies, patch px."""
FOLLOW = 0.3
"""Share by which a track's energies move to a new frame's: quick enough for motion blur, too slow for a frame's accident."""
MIN_GAIN, MAX_GAIN = 0.35, 1.7
"""What a network has not drawn cannot be sharpened into being; much more than this brings out its patterns instead."""
MIN_AREA = 64.0
NOISE_IN_BAND = 0.40
"""Share of white noise's variance that lies in `figures.detail.band`."""


class DefinitionMatcher:
    """Keeps the sharpness of each track and of its swapped face."""

    def __init__(self) -> None:
        self._state: dict[Hashable, NDArray[np.float64]] = {}

    def match(
        self,
        key: Hashable,
        swapped: NDArray[np.float32],
        original: NDArray[np.float32],
        mask: NDArray[np.float32],
        *,
        noise: float = 0.0,
        strength: float = 1.0,
    ) -> NDArray[np.float32]:
        """Return the swapped patch as sharp as the original; frames of a track come in their order.

        Args:
            swapped, original: (3, S, S) RGB [0, 1]. mask: (1, S, S) [0, 1].
            noise: deviation of the original's grain at the size of the patch, luma [0, 1]; grain is matched by itself.
            strength: 0 = as it was, 1 = all the way.
        """
        weight = (mask[0] > 0.9).astype(np.float32)
        if strength <= 0 or weight.sum() < MIN_AREA:
            return swapped
        finest = np.stack([plane - cv2.GaussianBlur(plane, (0, 0), SIGMA) for plane in swapped])
        seen = _moments(swapped.mean(axis=0), finest.mean(axis=0), original.mean(axis=0), weight)
        seen[3] = max(seen[3] - NOISE_IN_BAND * noise**2, 0.0)
        state = self._state.get(key, seen)
        state = self._state[key] = state + FOLLOW * (seen - state)
        return np.clip(swapped + np.float32(strength * (_gain(state) - 1)) * finest, 0, 1)


def _moments(swapped: NDArray, finest: NDArray, original: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """Return (4,) under a weight: energy of the swapped band, its product with the finest band's, that one's, the original's."""
    whole, part, wanted = (band(plane) for plane in (swapped, finest, original))
    return np.array(
        [float((a * b * weight).sum()) for a, b in ((whole, whole), (whole, part), (part, part), (wanted, wanted))]
    ) / float(weight.sum())


def _gain(moments: NDArray[np.float64]) -> float:
    """Return the factor of the finest band that gives the swapped face the original's energy: the root of a square equation."""
    own, product, part, wanted = moments
    # (own + 2 x product + x^2 part) = wanted for x = gain - 1
    half = product / max(part, 1e-12)
    inner = half**2 - (own - wanted) / max(part, 1e-12)
    gain = 1 - half + np.sqrt(max(inner, 0.0))
    return float(np.clip(gain, MIN_GAIN, MAX_GAIN))
