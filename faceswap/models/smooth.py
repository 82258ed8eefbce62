"""Halving and doubling without aliasing: convolutions whose kernels are learnt ones smoothed by a fixed low-pass.

A stride of two, and a pixel shuffle, break fine detail on the pixel grid: it stays where it is while the face moves
(Zhang 2019, Karras et al. 2021). Here every 3x3 kernel is convolved with the binomial [1 3 3 1] before use. That gives a
6x6 kernel, centred between pixels as the half-pixel rule asks for, at the price of one convolution and nothing else: the
smoothing is of weights, not of pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.models.convolve import blocks_of_kernel, in_blocks

_LOW_PASS = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
_SMALL = 32
"""px up to which pictures are continued by their border: zeros around them would tell every place where it is."""


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a 3x3 convolution, same size."""
    if x.shape[-1] > _SMALL:
        return functional.conv2d(x, weight, bias, padding=1)
    return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)


def _smoothing() -> Tensor:
    """(36, 9) takes a flat 3x3 kernel to the flat 6x6 one that it is when smoothed."""
    band = torch.zeros(3, 6)
    for tap in range(3):
        band[tap, tap : tap + 4] = torch.tensor(_LOW_PASS)
    return torch.kron(band, band).T.contiguous()


class _Smooth(nn.Module):
    """A 3x3 kernel that is used as a smoothed 6x6 one."""

    smoothing: Tensor

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.register_buffer("smoothing", _smoothing(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.conv.weight, self.conv.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return `forward` with other weights: (D, C, 3, 3) and (D,)."""
        raise NotImplementedError

    def smoothed(self, weight: Tensor) -> Tensor:
        """(D, C, 3, 3) -> (D, 6, 6, C)."""
        return (self.smoothing @ weight.permute(0, 2, 3, 1).flatten(1, 2)).unflatten(1, (6, 6))


class SmoothDown(_Smooth):
    """Low-pass, halving and 3x3 convolution: (B, C, H, W) -> (B, D, H/2, W/2)."""

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `_Smooth.convolve`."""
        # A 6x6 kernel of stride 2 as a plain one on 2x2 blocks.
        return convolved(in_blocks(x), blocks_of_kernel(self.smoothed(weight)), bias)


class SmoothUp(_Smooth):
    """Doubling, low-pass and 3x3 convolution: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `_Smooth.convolve`."""
        # Output pixel 2q + p takes input pixels q-1, q, q+1 by the kernel's taps 1-p, 3-p, 5-p. Times 4: three of four
        # pixels of the doubled picture are missing.
        count, channels = weight.shape[:2]
        taps = 4 * self.smoothed(weight).view(count, 3, 2, 3, 2, channels).flip(2, 4)
        phases = taps.permute(0, 2, 4, 1, 3, 5).reshape(count * 4, 3, 3, channels).permute(0, 3, 1, 2)
        bias = None if bias is None else bias.repeat_interleave(4)
        return functional.pixel_shuffle(convolved(x, phases, bias), 2)
