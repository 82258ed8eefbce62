"""The kinds of colour match: what each reads off a pair of patches, and what it makes of it.

What is read is a plain vector, so that vectors of several frames can be averaged: over a stretch of time, or over a shot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.color import Affine, Statistics
from faceswap.convert import membrane

Vector = NDArray[np.float64]

MAX_CONTRAST = 1.1
"""Largest change of contrast beyond that of the light, along any direction of colour."""
THIN_SIDE = 48
_NUM_KNOTS = 24
"""Quantiles of each channel: steps of four per cent."""
_MAX_BEND = 2.0
"""Steepest part of a curve over its channel's gain, and flattest: beyond, noise and banding are drawn out."""
_FOLLOW = 0.08
"""Share by which a track moves to a new frame: a time constant of about half a second."""
_FOLLOW_SEAM = 0.3
"""The same for what is read at the seam, which must fit the frame's own."""


class Kind(Protocol):
    """A way to match colours."""

    @property
    def follow(self) -> float:
        """Share by which what was read so far moves to a new frame's, once there are enough of them."""
        ...

    def read(self, swapped: NDArray, original: NDArray, mask: NDArray) -> Vector:
        """Return what there is to know of a pair of (3, S, S) patches under a (1, S, S) mask."""
        ...

    def apply(self, seen: Vector, swapped: NDArray) -> NDArray[np.float32]:
        """Return the patch in the colours that were read; may leave [0, 1]."""
        ...


def _thinned(picture: NDArray) -> NDArray:
    """Return every n-th pixel of a (C, S, S) picture: statistics need no more than some thousands."""
    step = max(1, picture.shape[-1] // THIN_SIDE)
    return picture[:, ::step, ::step]


@dataclass(frozen=True, slots=True)
class AffineKind:
    """One affine map of the colours, from mean and covariance of both patches."""

    fit: Callable[[Statistics, Statistics], Affine]
    follow: float = _FOLLOW

    def read(self, swapped: NDArray, original: NDArray, mask: NDArray) -> Vector:
        """Return (24,): mean and covariance of the swapped patch, then of the original."""
        both = color.paired_statistics(_thinned(swapped), _thinned(original), _thinned(mask))
        return np.concatenate([part.ravel() for statistics in both for part in statistics])

    def apply(self, seen: Vector, swapped: NDArray) -> NDArray[np.float32]:
        """Return the patch in the original's colours."""
        return color.transform(swapped, self.map_of(seen))

    def map_of(self, seen: Vector) -> Affine:
        """Return the map that `apply` uses."""
        source, target = (Statistics(part[:3], part[3:].reshape(3, 3)) for part in seen.reshape(2, 12))
        return color.limited(self.fit(source, target), source.mean, MAX_CONTRAST)


@dataclass(frozen=True, slots=True)
class HistogramKind:
    """A curve for each channel that gives it the original's distribution."""

    follow: float = _FOLLOW

    def read(self, swapped: NDArray, original: NDArray, mask: NDArray) -> Vector:
        """Return (144,): 24 quantiles of each channel of the swapped patch, then of the original."""
        a, b, weight = color.paired_pixels(_thinned(swapped), _thinned(original), _thinned(mask))
        return np.concatenate([_quantiles(channel, weight) for picture in (a, b) for channel in picture])

    def apply(self, seen: Vector, swapped: NDArray) -> NDArray[np.float32]:
        """Return the patch with its channels through their curves."""
        curves = zip(*seen.reshape(2, 3, _NUM_KNOTS), strict=True)
        return np.stack([_through(plane, *curve) for plane, curve in zip(swapped, curves, strict=True)])


def _quantiles(values: NDArray, weight: NDArray) -> Vector:
    """Return the values below which (i + 0.5) / 24 of the weight lies."""
    order = np.argsort(values)
    heap = np.cumsum(weight[order])
    wanted = (np.arange(_NUM_KNOTS) + 0.5) / _NUM_KNOTS * heap[-1]
    return values[order][np.minimum(np.searchsorted(heap, wanted), len(values) - 1)]


def _through(plane: NDArray, source: Vector, target: Vector) -> NDArray[np.float32]:
    """Return a plane with the values `source` (ascending) moved to `target`, in between along straight lines."""
    gain = float(np.clip(target.mean() / max(source.mean(), 1e-3), 0.1, 10))
    steps = np.maximum(np.diff(source), 1e-4)
    slopes = np.clip(np.diff(target) / steps, gain / _MAX_BEND, gain * _MAX_BEND)
    x = source[0] + np.concatenate([[0], np.cumsum(steps)])
    y = np.concatenate([[0], np.cumsum(slopes * steps)])
    y += np.median(target) - np.median(y)
    # Beyond the darkest and the lightest of it, on with the gain of the light.
    x, y = np.concatenate([[x[0] - 1], x, [x[-1] + 1]]), np.concatenate([[y[0] - gain], y, [y[-1] + gain]])
    return np.interp(plane, x, y).astype(np.float32)


@dataclass(frozen=True, slots=True)
class PoissonKind:
    """The swapped patch's gradients between the original's own colours along the edge of the mask (Perez et al. 2003)."""

    follow: float = _FOLLOW_SEAM

    def read(self, swapped: NDArray, original: NDArray, mask: NDArray) -> Vector:
        """Return (3072,): what is to be added, as (3, 32, 32)."""
        return membrane.across(original - swapped, mask).ravel().astype(np.float64)

    def apply(self, seen: Vector, swapped: NDArray) -> NDArray[np.float32]:
        """Return the patch with the edge's colours carried inwards."""
        return swapped + membrane.enlarged(seen.reshape(3, membrane.SIDE, membrane.SIDE), swapped.shape[-1])


KINDS: Mapping[str, Kind] = {
    "mkl": AffineKind(color.mkl_map),
    "reinhard": AffineKind(color.reinhard_map),
    "mean": AffineKind(color.mean_map),
    "histogram": HistogramKind(),
    "poisson": PoissonKind(),
}
"""By the word of the setting `match`."""
