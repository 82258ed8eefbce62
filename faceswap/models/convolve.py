"""Convolutions of padded, channels-last pictures, in the form that a CPU computes fastest; elsewhere PyTorch's own.

In bf16, with AMX, a strided convolution's gradient is ten times slower than a plain one's; with AVX-512, plain ones on maps
of 4x4 take twice the time of the same work as a matrix product (docs/decisions/0004-cpu-training.md).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SMALL_MAP = 16
"""Places, up to which a plain convolution is quicker as a matrix product."""
_ROWS_PER_CHANNEL = 4
"""Rows of the product for each output channel, up to which that holds for one of stride 2. Both limits are measured with bf16
and AVX-512 (`tools/bench/convolve.py`)."""


def same(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a convolution with an odd kernel, padded with zeros: (B, C, H, W), (D, C, K, K) -> (B, D, H, W)."""
    if _is_computed_here(x) and x.shape[-2] * x.shape[-1] <= _SMALL_MAP:
        return as_product(x, weight, bias, stride=1)
    return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def halving(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a 5x5 convolution of stride 2, padded with zeros: (B, C, H, W), (D, C, 5, 5) -> (B, D, H/2, W/2), rounded up."""
    has_blocks = x.shape[-2] % 2 == x.shape[-1] % 2 == 0
    if not (_is_computed_here(x) and has_blocks):
        return functional.conv2d(x, weight, bias, stride=2, padding=2)
    rows = len(x) * (x.shape[-2] // 2) * (x.shape[-1] // 2)
    if rows <= _ROWS_PER_CHANNEL * len(weight):
        return as_product(x, weight, bias, stride=2)
    return strided_as_plain(x, weight, bias)


def as_product(x: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int) -> Tensor:
    """Return a zero-padded convolution computed as one matrix product over all places; H and W divide by the stride."""
    kernel = weight.shape[-1]
    batch, _, height, width = x.shape
    height, width = height // stride, width // stride
    edge = kernel // 2
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, edge, edge, edge, edge))
    reach = (height - 1) * stride + 1, (width - 1) * stride + 1
    taps = [
        padded[:, dy : dy + reach[0] : stride, dx : dx + reach[1] : stride]
        for dy in range(kernel)
        for dx in range(kernel)
    ]
    columns = torch.cat(taps, dim=-1).flatten(0, 2)
    rows = functional.linear(columns, weight.permute(0, 2, 3, 1).flatten(1), bias)
    return rows.unflatten(0, (batch, height, width)).permute(0, 3, 1, 2)


def strided_as_plain(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a 5x5 convolution of stride 2 and padding 2, computed as a 3x3 one of stride 1.

    Each 2x2 block of the input becomes four times the channels; the kernel, padded to 6x6, falls apart into 3x3 blocks.
    """
    kernel = functional.pad(weight.permute(0, 2, 3, 1), (0, 0, 0, 1, 0, 1))
    return functional.conv2d(in_blocks(x), blocks_of_kernel(kernel), bias, padding=1)


def in_blocks(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 4C, H/2, W/2): the pixels of each 2x2 block one after the other, row by row.

    The order differs from `pixel_unshuffle`, so that channels, which lie together, are copied together.
    """
    batch, channels, height, width = x.shape
    blocks = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(batch, height // 2, width // 2, 4 * channels).permute(0, 3, 1, 2)


def blocks_of_kernel(kernel: Tensor) -> Tensor:
    """(D, 6, 6, C) -> (D, 4C, 3, 3): the kernel for `in_blocks`."""
    count, _, _, channels = kernel.shape
    blocks = kernel.reshape(count, 3, 2, 3, 2, channels).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(count, 3, 3, 4 * channels).permute(0, 3, 1, 2)


def _is_computed_here(x: Tensor) -> bool:
    """Return True for a tensor of this CPU, unless a graph is being written: that is for other machines too."""
    return x.device.type == "cpu" and not (torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export())
