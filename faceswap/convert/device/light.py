"""`convert.light.keep_light` for a batch of faces on a device; its constants are those of the function it stands for."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from faceswap.convert import light as reference
from faceswap.convert.device.filters import blur, enlarged


def keep_light(swapped: Tensor, original: Tensor, mask: Tensor, strength: Tensor) -> Tensor:
    """Return the swapped patches under the originals' light.

    Args:
        swapped, original: (B, 3, S, S) float32 RGB [0, 1]. mask: (B, 1, S, S) [0, 1].
        strength: (B,) float32, 0 = as it was, 1 = all of the light.
    """
    shares = strength.view(-1, 1, 1, 1)
    lit = swapped * _gains(swapped, original, mask, shares)
    lit = (lit + shares * _edge_steps(lit, original, mask)).clamp(0, 1)
    is_lit = (strength > 0) & (mask.amax(dim=(1, 2, 3)) >= reference.MIN_WEIGHT)
    return torch.where(is_lit.view(-1, 1, 1, 1), lit, swapped)


def _gains(swapped: Tensor, original: Tensor, mask: Tensor, shares: Tensor) -> Tensor:
    """Return (B, 3, S, S) factors that give the patches the originals' coarsest band."""
    size = mask.shape[-1]
    step = _step(size, reference.SIGMA)
    sigma = reference.SIGMA * size / step
    small = _shrunk(mask, step)
    low_weight = blur(small, sigma, "zero")
    new, old = (blur(_light(_shrunk(each * mask, step), small), sigma, "zero") for each in (swapped, original))
    share = low_weight.clamp(min=reference.MIN_WEIGHT)
    gains = (old / share + reference.FLOOR) / (new / share + reference.FLOOR)
    gains = gains.clamp(1 / reference.MAX_GAIN, reference.MAX_GAIN) ** (shares / reference.GAMMA)
    known = (low_weight / (4 * reference.MIN_WEIGHT)).clamp(0, 1)
    return enlarged(1 + known * (gains - 1), size)


def _light(weighted: Tensor, weight: Tensor) -> Tensor:
    """Return weighted linear light of weighted coded values."""
    return (weighted / weight.clamp(min=1e-3)).clamp(0, 1).pow(reference.GAMMA) * weight


def _edge_steps(swapped: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """Return (B, 3, S, S): what is to be added along the masks' edges."""
    size = mask.shape[-1]
    step = _step(size, reference.EDGE_SIGMA)
    sigma = reference.EDGE_SIGMA * size / step
    reach = reference.EDGE_DEPTH * size
    inside = _shrunk((depth(mask > 0.5, math.ceil(reach)) / reach).clamp(max=1), step)
    near = 1 - inside * inside * (3 - 2 * inside)
    share = blur(_shrunk(mask, step), sigma, "zero").clamp(min=reference.MIN_WEIGHT)
    steps = blur(_shrunk((original - swapped) * mask, step), sigma, "zero") / share
    return enlarged(near * steps.clamp(-reference.EDGE_MOST, reference.EDGE_MOST), size)


def depth(is_inside: Tensor, reach: int) -> Tensor:
    """Return the (B, 1, S, S) float32 distances of px to the nearest that is not inside, exact up to `reach` px.

    Rows first, then columns: the least of the squares along one axis, then of those sums along the other.
    """
    far = float((2 * reach) ** 2)
    squares = torch.where(is_inside, far, 0.0)
    for pad in ((reach, reach, 0, 0), (0, 0, reach, reach)):
        size = squares.shape[-1]
        wide = F.pad(squares, pad, value=far)
        for offset in range(-reach, reach + 1):
            moved = wide.narrow(3 if pad[0] else 2, reach + offset, size)
            squares = torch.minimum(squares, moved + offset**2)
    return squares.sqrt()


def _step(size: int, sigma: float) -> int:
    """As `light._step`: by how much a patch may be shrunk before it is blurred by `sigma` of its sides."""
    return next((n for n in (8, 4, 2) if sigma * size >= 1.2 * n and size % n == 0), 1)


def _shrunk(pictures: Tensor, step: int) -> Tensor:
    return F.avg_pool2d(pictures, step) if step > 1 else pictures
