"""Colour statistics and the maps between them, for a batch of faces on a device, without a look at their values.

The counterparts of `color.paired_statistics`, `mkl_map` and `limited`, in float64. Roots of 3 x 3 matrices come in closed form
(Franca 1989): eigenvalue solvers would wait for the device.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from faceswap.color import TRIM_ROUNDS


class Moments(NamedTuple):
    """First and second moments of B faces' colours."""

    mean: Tensor
    """(B, 3) float64"""
    covariance: Tensor
    """(B, 3, 3) float64"""

    def flat(self) -> Tensor:
        """Return them as (B, 12)."""
        return torch.cat([self.mean, self.covariance.flatten(1)], dim=1)

    @classmethod
    def of_flat(cls, flat: Tensor) -> Moments:
        """Inverse of `flat`."""
        return cls(flat[:, :3], flat[:, 3:].reshape(-1, 3, 3))


class Maps(NamedTuple):
    """x -> linear @ x + offset for B faces."""

    linear: Tensor
    """(B, 3, 3) float64"""
    offset: Tensor
    """(B, 3) float64"""

    def of(self, colors: Tensor) -> Tensor:
        """Return (B, 3, N) colours mapped."""
        return self.linear.to(colors.dtype) @ colors + self.offset.to(colors.dtype)[..., None]


def weighted_moments(colors: Tensor, weight: Tensor) -> Moments:
    """Return the moments of (B, 3, N) colours under (B, N) weights."""
    share = weight / weight.sum(dim=1, keepdim=True).clamp(min=1e-12)
    mean = (colors * share[:, None]).sum(dim=2)
    centred = colors - mean[..., None]
    return Moments(mean, (centred * share[:, None]) @ centred.mT)


def paired_moments(source: Tensor, target: Tensor, weight: Tensor, trim: float = 0.3) -> tuple[Moments, Moments]:
    """Return the statistics of two pictures from the places where they agree best: `color.paired_statistics`.

    Args:
        source, target: (B, 3, N) colours, float64. weight: (B, N), float64.
    """
    is_core = weight > weight.amax(dim=1, keepdim=True) / 2
    gain = _median(target, is_core) / _median(source, is_core).clamp(min=1e-3)
    fit = Maps(torch.diag_embed(gain), torch.zeros_like(gain))
    wanted = (1 - trim) * weight.sum(dim=1, keepdim=True)
    moments = weighted_moments(source, weight), weighted_moments(target, weight)
    for _ in range(TRIM_ROUNDS):
        distance = torch.where(weight > 0, (fit.of(source) - target).norm(dim=1), math.inf)
        order = distance.argsort(dim=1, stable=True)
        in_order = weight.gather(1, order)
        # All up to the first place at which what is kept reaches its share.
        is_kept = in_order.cumsum(dim=1) - in_order < wanted
        kept = torch.zeros_like(weight).scatter(1, order, in_order * is_kept)
        moments = weighted_moments(source, kept), weighted_moments(target, kept)
        fit = mkl_map(*moments)
    return moments


def _median(colors: Tensor, is_chosen: Tensor) -> Tensor:
    """Return (B, 3) medians of (B, 3, N) colours at the chosen (B, N) places."""
    count = is_chosen.sum(dim=1).clamp(min=1)
    in_order = torch.where(is_chosen[:, None], colors, math.inf).sort(dim=2).values
    middle = torch.stack([(count - 1) // 2, count // 2], dim=1)[:, None].expand(-1, 3, -1)
    return in_order.gather(2, middle).mean(dim=2)


def mkl_map(source: Moments, target: Moments, *, floor: float = 1e-5) -> Maps:
    """Return the optimal-transport maps: `color.mkl_map`."""
    noise = floor * _eye(source.mean)
    root = square_root(source.covariance + noise)
    inverse_root = inverse(root)
    linear = inverse_root @ square_root(root @ (target.covariance + noise) @ root) @ inverse_root
    return _through_means(linear, source, target)


def reinhard_map(source: Moments, target: Moments, *, floor: float = 1e-5) -> Maps:
    """Return the maps that give each channel the target's mean and spread: `color.reinhard_map`."""
    own, wanted = (torch.diagonal(each.covariance, dim1=1, dim2=2) + floor for each in (source, target))
    return _through_means(torch.diag_embed((wanted / own).sqrt()), source, target)


def mean_map(source: Moments, target: Moments) -> Maps:
    """Return the maps that scale each channel to the target's mean: `color.mean_map`."""
    linear = torch.diag_embed(target.mean / source.mean.clamp(min=1e-3))
    return Maps(linear, torch.zeros_like(source.mean))


def limited(maps: Maps, around: Tensor, max_contrast: float) -> Maps:
    """Return the maps with less change of contrast, the same at the (B, 3) colours `around`: `color.limited`."""
    gains = maps.of(around[..., None])[..., 0] / around.clamp(min=1e-3)
    root = gains.clamp(min=1e-3).sqrt()
    rest = maps.linear / root[:, None, :] / root[:, :, None]
    rest = (rest + rest.mT) / 2
    # Eigenvalues held in [low, high], without them: (|x - low| - |x - high| + low + high) / 2.
    low, high = 1 / max_contrast, max_contrast
    rest = (_magnitude(rest, low) - _magnitude(rest, high) + (low + high) * _eye(around)) / 2
    linear = rest * root[:, None, :] * root[:, :, None]
    here = around[..., None]
    return Maps(linear, maps.offset + ((maps.linear - linear) @ here)[..., 0])


def _magnitude(matrix: Tensor, shift: float) -> Tensor:
    """Return |matrix - shift| of symmetrical (B, 3, 3) matrices: the same eigenvectors, magnitudes of the eigenvalues."""
    moved = matrix - shift * torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    return square_root(moved @ moved + 1e-14 * torch.eye(3, dtype=matrix.dtype, device=matrix.device))


def square_root(matrix: Tensor) -> Tensor:
    """Return the roots of symmetrical positive (B, 3, 3) float64 matrices."""
    roots = _eigenvalues(matrix).clamp(min=0).sqrt()
    a, b, c = roots.unbind(dim=1)
    first, second, third = (v[:, None, None] for v in (a + b + c, a * b + b * c + c * a, a * b * c))
    part = (first * first - second) * matrix - matrix @ matrix + first * third * _eye(roots)
    return part / (first * second - third).clamp(min=1e-300)


def inverse(matrix: Tensor) -> Tensor:
    """Return the inverses of (B, 3, 3) matrices by their adjugates."""
    x, y, z = matrix.unbind(dim=1)
    columns = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], dim=2)
    return columns / (x * columns[:, :, 0]).sum(dim=1)[:, None, None]


def _eigenvalues(matrix: Tensor) -> Tensor:
    """Return the (B, 3) eigenvalues of symmetrical (B, 3, 3) matrices (Smith 1961)."""
    middle = torch.diagonal(matrix, dim1=1, dim2=2).sum(dim=1) / 3
    rest = matrix - middle[:, None, None] * _eye(middle[:, None])
    size = (rest.square().sum(dim=(1, 2)) / 6).sqrt()
    scaled = rest / size.clamp(min=1e-300)[:, None, None]
    x, y, z = scaled.unbind(dim=1)
    half_determinant = (x * torch.linalg.cross(y, z)).sum(dim=1) / 2
    angle = torch.acos(half_determinant.clamp(-1, 1)) / 3
    turns = angle[:, None] + torch.arange(3, dtype=matrix.dtype, device=matrix.device) * (2 * math.pi / 3)
    return middle[:, None] + 2 * size[:, None] * torch.cos(turns)


def _through_means(linear: Tensor, source: Moments, target: Moments) -> Maps:
    return Maps(linear, target.mean - (linear @ source.mean[..., None])[..., 0])


def _eye(like: Tensor) -> Tensor:
    return torch.eye(3, dtype=like.dtype, device=like.device)
