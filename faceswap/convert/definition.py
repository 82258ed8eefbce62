"""As sharp as the footage: the finest bands of the swapped patch get the strength that they have in the target's skin.

A network's face is softer than the footage, or sharper than a frame that is blurred by motion or focus. Degrading the whole
frame to match the face would be the wrong way round. The finest band is strengthened or weakened; the one below it is only ever
weakened, which strong blur needs: to strengthen it would bring out the features of a soft network, not its detail.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.figures.detail import band

if TYPE_CHECKING:
    from torch import Tensor

    T = TypeVar("T", NDArray[np.float32], Tensor)

_SIGMAS = (1.0, 2.0)
"""Of the Gaussians beyond which the finest band lies, and beyond which the one below it does, patch px."""
_FOLLOW, _HURRY = 0.3, 0.85
"""Share by which a track's energies move to a new frame's: too slow for a frame's accident; where the footage gets blurred or
sharp from one frame to the next."""
_SUDDEN = (0.3, 1.0)
"""Change of the logarithm of the footage's energy from which following hurries, at which it is quickest."""
_MIN_GAIN, _MAX_GAIN = 0.15, 1.7
"""What a network has not drawn cannot be sharpened into being; much more than this brings out its patterns instead."""
_MIN_COARSE_GAIN, _OWN_FEATURES = 0.25, 1.44
"""The lower band is never weakened by more; nor for having up to this times the footage's energy: that is another person's
brows and lips, not blur."""
_BLURRED, _FORGET = (0.85, 0.55), 0.98
"""Shares of what the footage's lower band lately had at its sharpest from which it is taken to be blurred, and surely is: then
nothing more is left to the other person's features. And how fast the sharpest is forgotten."""
_MIN_AREA = 64.0
_NOISE_IN_BAND, _NOISE_IN_COARSE = 0.40, 0.036
"""Share of white noise's variance that lies in `figures.detail.band`, and in the lower band."""


class DefinitionMatcher:
    """Keeps the sharpness of each track and of its swapped face."""

    def __init__(self) -> None:
        self._state: dict[Hashable, NDArray[np.float64]] = {}
        self._sharpest: dict[Hashable, float] = {}

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
        if strength <= 0 or weight.sum() < _MIN_AREA:
            return swapped
        seen = _energies(swapped.mean(axis=0), original.mean(axis=0), weight)
        seen[-2:] = np.maximum(seen[-2:] - np.array([_NOISE_IN_BAND, _NOISE_IN_COARSE]) * noise**2, 1e-9)
        state = self._state.get(key, seen)
        state = self._state[key] = state + _share(state, seen) * (seen - state)
        sharpest = self._sharpest[key] = max(state[8], _FORGET * self._sharpest.get(key, 0.0))
        lower = _coarse_gain(state, sharpest)
        finest = _gain(state, lower)
        return np.stack([_changed(plane, strength * (finest - 1), strength * (lower - 1)) for plane in swapped])


def _changed(plane: NDArray[np.float32], finest: float, lower: float) -> NDArray[np.float32]:
    """Return a plane with so much of its finest band and of the one below it added."""
    soft = cv2.GaussianBlur(plane, (0, 0), _SIGMAS[0])
    result = plane + np.float32(finest) * (plane - soft)
    if lower < 0:
        result += np.float32(lower) * (soft - cv2.GaussianBlur(plane, (0, 0), _SIGMAS[1]))
    return np.clip(result, 0, 1)


def _bands(plane: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the finest band of a plane and the one below it."""
    soft, softer = (cv2.GaussianBlur(plane, (0, 0), sigma) for sigma in _SIGMAS)
    return plane - soft, soft - softer


def _energies(swapped: NDArray, original: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """Return (9,) mean products under a weight.

    Args:
        swapped, original, weight: (S, S), luma.

    Returns:
        In `figures.detail.band`: of the swapped patch (s), its finest band (f) and its lower one (c): ss, sf, ff, sc, fc, cc.
        Then the energy of the lower band itself, and what the original has in `figures.detail.band` and in the lower band.
    """
    fine, lower = _bands(swapped)
    s, f, c, wanted = map(band, (swapped, fine, lower, original))
    lower_wanted = _bands(original)[1]
    products = energy_products(s, f, c, lower, wanted, lower_wanted)
    return np.array([float((product * weight).sum()) for product in products]) / float(weight.sum())


def energy_products(s: T, f: T, c: T, lower: T, wanted: T, lower_wanted: T) -> tuple[T, ...]:
    """Return the nine products whose means are a track's energies, in the order of `_energies`; arrays or tensors."""
    return (s * s, s * f, f * f, s * c, f * c, c * c, lower * lower, wanted * wanted, lower_wanted * lower_wanted)


def _share(state: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """Return how far a track's energies move to those seen now."""
    change = abs(float(np.log(seen[-2] / max(state[-2], 1e-9))))
    return float(np.interp(change, _SUDDEN, (_FOLLOW, _HURRY)))


def _coarse_gain(state: NDArray[np.float64], sharpest: float) -> float:
    """Return the factor of the lower band, at most 1.

    Args:
        sharpest: what the footage's lower band lately had at its sharpest.
    """
    own, wanted = state[6], state[8]
    start, sure = _BLURRED
    room = np.interp(np.sqrt(wanted / sharpest), (sure, start), (1.0, _OWN_FEATURES))
    return float(np.clip(np.sqrt(room * wanted / max(own, 1e-12)), _MIN_COARSE_GAIN, 1.0))


def _gain(state: NDArray[np.float64], lower: float) -> float:
    """Return the factor of the finest band that gives the swapped face the original's energy: the root of a square equation.

    Args:
        lower: the factor of the lower band.
    """
    ss, sf, ff, sc, fc, cc, _, wanted, _ = state
    less = lower - 1
    own, product = ss + 2 * less * sc + less**2 * cc, sf + less * fc
    # own + 2 x product + x^2 ff = wanted for x = gain - 1
    half = product / max(ff, 1e-12)
    inner = half**2 - (own - wanted) / max(ff, 1e-12)
    gain = 1 - half + np.sqrt(max(inner, 0.0))
    return float(np.clip(gain, _MIN_GAIN, _MAX_GAIN))
