"""Training losses: small pure functions on float32 tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from faceswap.train.config import LossSettings

_TAPS, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


@lru_cache(maxsize=16)
def _window_matrix(size: int, device: torch.device) -> Tensor:
    """(size-10, size) banded matrix that applies the 11-tap Gaussian window along one axis, without padding."""
    x = torch.arange(_TAPS) - _TAPS // 2
    weights = torch.exp(-(x**2) / (2 * _SIGMA**2))
    matrix = torch.zeros(size - _TAPS + 1, size)
    for row in range(len(matrix)):
        matrix[row, row : row + _TAPS] = weights / weights.sum()
    return matrix.to(device)


def _blur(images: Tensor) -> Tensor:
    """Separable Gaussian: (B, C, H, W) -> (B, C, H-10, W-10).

    Two matrix products: one-channel convolutions and their gradients are 15 to 50 times slower on CPUs at 64 to 128 px.
    """
    rows = _window_matrix(images.shape[-2], images.device)
    columns = _window_matrix(images.shape[-1], images.device)
    return rows @ images @ columns.T


def dssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Return structural dissimilarity (1 - SSIM) / 2 in [0, 1] per pixel (Wang et al. 2004).

    Args:
        a, b: (B, C, H, W) in [0, 1], H and W at least 11. Of `b`, the truth, no gradient is given.

    Returns:
        (B, C, H-10, W-10)
    """
    b = b.detach()
    mean_b = _blur(b)
    mean_a, squares, product = _blur(torch.cat([a, a * a + b * b, a * b])).chunk(3)
    both, mean_squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    luminance = (2 * both + _C1) / (mean_squares + _C1)
    structure = (2 * (product - both) + _C2) / (squares - mean_squares + _C2)
    return (1 - luminance * structure) / 2


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of (B, C, h, w) values under a (B, 1, H, W) weight, centre-cropped to fit."""
    trim = (weight.shape[-1] - values.shape[-1]) // 2
    if trim:
        weight = weight[..., trim:-trim, trim:-trim]
    return (values * weight).sum() / (weight.sum() * values.shape[1]).clamp(min=1e-6)


def focal_frequency(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Return the focal frequency loss (Jiang et al. 2021): squared errors of the spectrum, the worst counting most.

    Args:
        a, b: (B, C, S, S). weight: (B, 1, S, S) of the error before the transform.
    """
    spectrum = torch.fft.rfft2(((a - b) * weight).float(), norm="ortho")
    power = spectrum.real.square() + spectrum.imag.square()
    focus = power.detach().sqrt()
    focus = focus / focus.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-9)
    return (focus * power).mean()


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a face should have become."""

    face: Tensor
    """(B, 3, S, S) [0, 1]."""
    mask: Tensor
    """(B, 1, S, S) [0, 1]: what the mask should be."""
    outline: Tensor
    """(B, 1, S, S) [0, 1]: where the face counts, what is hidden included."""
    regions: Tensor | None = None
    """(B, R, S, S) [0, 1]: eyes and mouth, those of them that have a weight."""


def face_weight(truth: Truth, settings: LossSettings) -> Tensor:
    """Return how much each pixel counts, (B, 1, S, S)."""
    # The face's surroundings count a little, so that its edge is learnt too.
    weight = settings.outside + (1 - settings.outside) * functional.max_pool2d(truth.outline, 5, 1, 2)
    if truth.regions is not None:
        extra = [value for value in (settings.eyes, settings.mouth) if value]
        weight = weight + sum(value * truth.regions[:, i : i + 1] for i, value in enumerate(extra))
    return weight


def swap_loss(face: Tensor, mask: Tensor, truth: Truth, settings: LossSettings) -> Tensor:
    """Return the training loss of a batch as a scalar.

    Args:
        face: (B, 3, S, S) [0, 1]. mask: (B, 1, S, S) [0, 1].
    """
    weight = face_weight(truth, settings)
    loss = settings.mask * (mask - truth.mask).abs().mean()
    if settings.l1:
        loss = loss + settings.l1 * weighted_mean((face - truth.face).abs(), weight)
    if settings.mse:
        loss = loss + settings.mse * weighted_mean((face - truth.face).square(), weight)
    if settings.dssim:
        loss = loss + settings.dssim * weighted_mean(dssim_map(face, truth.face), weight)
    if settings.dssim_half:
        half = [functional.avg_pool2d(x, 2) for x in (face, truth.face, weight)]
        loss = loss + settings.dssim_half * weighted_mean(dssim_map(half[0], half[1]), half[2])
    if settings.frequency:
        loss = loss + settings.frequency * focal_frequency(face, truth.face, weight)
    return loss
