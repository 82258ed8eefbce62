"""What happens to footage before it reaches us, as batched tensor operations: blur, compression, things before the face."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

_BLOCK = 8
_NOT_BLURRED = 1e-3


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Return images under Gaussians of their own, each with a width along x and one along y (so moving ones, too).

    Args:
        images: (B, C, S, S). sigma: (B, 2) px; 0 leaves the picture as it is.
    """
    place = torch.arange(images.shape[-1], device=images.device, dtype=torch.float32)
    distance = (place[:, None] - place).square()
    sigma = sigma.clamp(min=_NOT_BLURRED).view(-1, 2, 1, 1)
    kernels = torch.exp(-distance / (2 * sigma.square()))
    columns, rows = (kernels / kernels.sum(dim=-1, keepdim=True)).split(1, dim=1)
    return rows @ images @ columns.transpose(-1, -2)


@lru_cache(maxsize=4)
def _cosines(device: torch.device) -> Tensor:
    """(8, 8) orthonormal DCT-II."""
    k = torch.arange(_BLOCK, dtype=torch.float32)
    matrix = torch.cos(math.pi * k[:, None] * (k + 0.5) / _BLOCK) * math.sqrt(2 / _BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix.to(device)


def compressed(images: Tensor, step: Tensor) -> Tensor:
    """Return images with the errors of block transforms: cosine coefficients of 8x8 blocks rounded to coarse steps.

    Steps grow with frequency as JPEG's tables do, and colour differences get twice those of brightness.

    Args:
        images: (B, 3, S, S) RGB [0, 1], S a multiple of 8.
        step: (B,) of the lowest frequency, as a share of the range; near 0 leaves the picture as it is.
    """
    batch, channels, height, width = images.shape
    luma = images.mean(dim=1, keepdim=True)
    parts = torch.cat([luma, images[:, :1] - luma, images[:, 2:] - luma], dim=1)
    blocks = parts.view(batch, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(3, 4)
    cosines = _cosines(images.device)
    order = torch.arange(_BLOCK, device=images.device)
    table = 1 + 0.5 * (order[:, None] + order)
    kinds = torch.tensor([1.0, 2.0, 2.0], device=images.device).view(3, 1, 1, 1, 1)
    # A block's constant is 8 times its mean.
    steps = _BLOCK * step.clamp(min=1e-5).view(-1, 1, 1, 1, 1, 1) * kinds * table
    coefficients = torch.round(cosines @ blocks @ cosines.T / steps) * steps
    restored = (cosines.T @ coefficients @ cosines).transpose(3, 4).reshape(batch, channels, height, width)
    luma, red, blue = restored.split(1, dim=1)
    return torch.cat([luma + red, luma - red - blue, luma + blue], dim=1).clamp(0, 1)


def obstacle(numbers: Tensor, points: Tensor) -> Tensor:
    """Return where random things stand before the face, (B, 1, H, W) in [0, 1] with soft edges.

    Args:
        numbers: (B, 6) in [0, 1): place, sizes, direction, shape (an ellipse to a bar with corners).
        points: (B or 1, H, W, 2) px of the patch divided by its side: where to look.
    """
    x, y, long, short, turn, shape = (numbers[:, i].view(-1, 1, 1) for i in range(6))
    centre_x, centre_y = 0.15 + 0.7 * x, 0.15 + 0.7 * y
    angle = math.pi * turn
    dx, dy = points[..., 0] - centre_x, points[..., 1] - centre_y
    along = (dx * angle.cos() + dy * angle.sin()).abs() / (0.12 + 0.28 * long)
    across = (dy * angle.cos() - dx * angle.sin()).abs() / (0.05 + 0.12 * short)
    power = 2 + 6 * shape
    radius = (along.clamp(1e-4).pow(power) + across.clamp(1e-4).pow(power)).pow(1 / power)
    return ((1 - radius) * 8 + 0.5).clamp(0, 1)[:, None]
