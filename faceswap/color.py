"""Colour: YUV matrices from the stream's tags, statistics matching, differences.

Sources: ITU-T H.273 (matrix coefficients, ranges); Pitié & Kokaram 2007, "The linear Monge-Kantorovitch linear
colour mapping" (MKL); CIE 142-2001 (dE2000, by scikit-image).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import ColorInfo

_KR_KB = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}

MATRICES = (*_KR_KB, "rgb")


TRIM_ROUNDS = 3


class Affine(NamedTuple):
    """x -> linear @ x + offset on colour triples."""

    linear: NDArray[np.float64]
    """(3, 3)"""
    offset: NDArray[np.float64]
    """(3,)"""


@lru_cache(maxsize=64)
def code_scale(color: ColorInfo) -> Affine:
    """Return the diagonal map from Y [0, 1], Cb and Cr [-0.5, 0.5] (or G, B, R [0, 1]) to code values (H.273, 8.3)."""
    top = float(2**color.bit_depth - 1)
    if color.matrix == "rgb":
        return Affine(np.eye(3) * top, np.zeros(3))
    step = 2.0 ** (color.bit_depth - 8)
    luma, chroma, black = (top, top, 0.0) if color.full_range else (219 * step, 224 * step, 16 * step)
    return Affine(np.diag([luma, chroma, chroma]), np.array([black, 128 * step, 128 * step]))


@lru_cache(maxsize=64)
def codes_from_rgb(color: ColorInfo) -> Affine:
    """Return the map from RGB [0, 1] to code values of the three planes (Y, U, V or G, B, R)."""
    scale, offset = code_scale(color)
    if color.matrix == "rgb":
        return Affine(scale @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float64), offset)
    kr, kb = _KR_KB[color.matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - kb))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - kr))
    return Affine(scale @ np.stack([luma, blue, red]), offset)


@lru_cache(maxsize=64)
def rgb_from_codes(color: ColorInfo) -> Affine:
    """Inverse of `codes_from_rgb`."""
    linear, offset = codes_from_rgb(color)
    inverse = np.linalg.inv(linear).astype(np.float64)
    return Affine(inverse, -inverse @ offset)


def transform(pixels: NDArray, affine: Affine) -> NDArray[np.float32]:
    """Apply an affine colour map to (3, ...) float32 values."""
    flat = pixels.reshape(3, -1)
    result = affine.linear.astype(np.float32) @ flat + affine.offset.astype(np.float32)[:, None]
    return result.reshape(pixels.shape)


class Statistics(NamedTuple):
    """First and second moments of colours."""

    mean: NDArray[np.float64]
    """(3,)"""
    covariance: NDArray[np.float64]
    """(3, 3)"""

    def blended(self, other: Statistics, weight: float) -> Statistics:
        """Return the statistics moved by `weight` [0, 1] towards `other`."""
        return Statistics(
            self.mean + weight * (other.mean - self.mean),
            self.covariance + weight * (other.covariance - self.covariance),
        )


def masked_statistics(pixels: NDArray, mask: NDArray) -> Statistics:
    """Return mean and covariance of (3, H, W) colours, weighted by a (1, H, W) or (H, W) mask.

    Pixels outside the mask do not take part at all: zero-filling them first would pull the mean to black.
    """
    weight = np.asarray(mask, dtype=np.float64).reshape(-1)
    weight = weight / max(weight.sum(), 1e-12)
    flat = pixels.reshape(3, -1).astype(np.float64)
    mean = flat @ weight
    centred = flat - mean[:, None]
    return Statistics(mean, (centred * weight) @ centred.T)


def paired_statistics(
    source: NDArray, target: NDArray, mask: NDArray, trim: float = 0.3
) -> tuple[Statistics, Statistics]:
    """Return the statistics of two pictures of the same thing, from the places where they agree best.

    Args:
        source, target: (3, H, W) colours. mask: (1, H, W) or (H, W). trim: [0, 1).
    """
    a, b, weight = paired_pixels(source, target, mask, trim)
    return masked_statistics(a, weight), masked_statistics(b, weight)


def paired_pixels(
    source: NDArray, target: NDArray, mask: NDArray, trim: float = 0.3
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the colours of two pictures of the same thing where they agree best: (3, N) of each, (N,) weights.

    What is in front of one of them (a hand), or looks otherwise by nature (an open eye, a beard), says nothing of the light.
    Each round maps the source to the target by the fit so far and leaves out the share `trim` of the mask that is furthest
    off; both sides lose the same places, so what is taken from them stays comparable.

    Args:
        source, target: (3, H, W) colours. mask: (1, H, W) or (H, W). trim: [0, 1).
    """
    weight = np.asarray(mask, dtype=np.float64).reshape(-1)
    inside = weight > 0
    weight = weight[inside]
    a, b = (picture.reshape(3, -1)[:, inside].astype(np.float64) for picture in (source, target))
    if not len(weight):
        return a, b, weight
    core = weight > weight.max() / 2
    # Medians first: an occluder would pull a mean, and widen a covariance, towards itself.
    gain = np.median(b[:, core], axis=1) / np.maximum(np.median(a[:, core], axis=1), 1e-3)
    fit, kept = Affine(np.diag(gain), np.zeros(3)), weight
    for number in range(TRIM_ROUNDS):
        if number:
            fit = mkl_map(masked_statistics(a, kept), masked_statistics(b, kept))
        distance = np.linalg.norm(fit.linear @ a + fit.offset[:, None] - b, axis=0)
        order = np.argsort(distance)
        limit = int(np.searchsorted(np.cumsum(weight[order]), (1 - trim) * weight.sum()))
        kept = np.zeros_like(weight)
        kept[order[: limit + 1]] = weight[order[: limit + 1]]
    return a, b, kept


def limited(affine: Affine, around: NDArray[np.float64], max_contrast: float) -> Affine:
    """Return the map with less change of contrast, the same at the colour `around`.

    Dimmer or coloured light scales mean and contrast of a channel alike, so what goes beyond the channels' own gains is held
    within a factor of `max_contrast`. An evenly lit face matched to a side-lit one would get black holes for eyes otherwise.
    """
    gains = (affine.linear @ around + affine.offset) / np.maximum(around, 1e-3)
    root = np.sqrt(np.maximum(gains, 1e-3))
    rest = affine.linear / root / root[:, None]
    values, vectors = np.linalg.eigh((rest + rest.T) / 2)
    rest = (vectors * np.clip(values, 1 / max_contrast, max_contrast)) @ vectors.T
    linear = rest * root * root[:, None]
    return Affine(linear, affine.linear @ around + affine.offset - linear @ around)


def mkl_map(source: Statistics, target: Statistics, *, floor: float = 1e-5) -> Affine:
    """Return the optimal-transport map between two Gaussians: colours like `source` become like `target`.

    Args:
        floor: added to the variances, so that flat patches do not divide by nothing.
    """
    noise = floor * np.eye(3)
    root = _square_root(source.covariance + noise)
    inverse_root = np.linalg.inv(root)
    linear = inverse_root @ _square_root(root @ (target.covariance + noise) @ root) @ inverse_root
    return Affine(linear, target.mean - linear @ source.mean)


def reinhard_map(source: Statistics, target: Statistics, *, floor: float = 1e-5) -> Affine:
    """Return the map that gives each channel the target's mean and spread (Reinhard et al. 2001, in RGB).

    Args:
        floor: added to the variances, so that flat patches do not divide by nothing.
    """
    variances = [np.diag(statistics.covariance) + floor for statistics in (source, target)]
    linear = np.diag(np.sqrt(variances[1] / variances[0]))
    return Affine(linear, target.mean - linear @ source.mean)


def mean_map(source: Statistics, target: Statistics) -> Affine:
    """Return the map that scales each channel to the target's mean, as brighter or coloured light does."""
    linear = np.diag(target.mean / np.maximum(source.mean, 1e-3))
    return Affine(linear, np.zeros(3))


def _square_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def lab(pixels: NDArray) -> NDArray[np.float32]:
    """Return CIE L*a*b* (D65) of (3, ...) sRGB-coded RGB [0, 1]."""
    flat = np.clip(pixels, 0, 1).astype(np.float32).reshape(3, -1).T[None]
    return cv2.cvtColor(flat, cv2.COLOR_RGB2Lab)[0].T.reshape(pixels.shape)


def delta_e(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """Return dE2000 between two (3, ...) arrays of RGB [0, 1]."""
    from skimage.color import deltaE_ciede2000

    return deltaE_ciede2000(np.moveaxis(lab(a), 0, -1), np.moveaxis(lab(b), 0, -1))
