"""Blocks shared by the swap networks. The shapes follow the published deepfake autoencoders (DeepFaceLab paper,
Perov et al. 2020); activations are leaky ReLUs of slope 0.1, or 0.2 inside residual blocks."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Downscale(nn.Module):
    """5x5 convolution of stride 2: (B, C, H, W) -> (B, D, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 5, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        # On CPUs the bf16 gradient of a strided convolution is ten times slower than that of a plain one.
        convolve = strided_as_plain if x.device.type == "cpu" else nn.Conv2d.__call__
        return functional.leaky_relu(convolve(self.conv, x), 0.1)


def strided_as_plain(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Return `conv(x)` of a 5x5, stride 2, padding 2 convolution, computed as a 3x3 one of stride 1.

    Each 2x2 block of the input becomes four channels; the kernel, padded to 6x6, falls apart into 3x3 such blocks.
    """
    out_channels, in_channels = conv.weight.shape[:2]
    blocks = functional.pad(conv.weight, (0, 1, 0, 1)).view(out_channels, in_channels, 3, 2, 3, 2)
    weight = blocks.permute(0, 1, 3, 5, 2, 4).reshape(out_channels, in_channels * 4, 3, 3)
    return functional.conv2d(functional.pixel_unshuffle(x, 2), weight, conv.bias, padding=1)


class Upscale(nn.Module):
    """3x3 convolution and pixel shuffle: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels * 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(functional.leaky_relu(self.conv(x), 0.1), 2)


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip; the shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv2(functional.leaky_relu(self.conv1(x), 0.2))
        return functional.leaky_relu(x + inner, 0.2)


class PixelNorm(nn.Module):
    """Divide each sample by its root mean square over the features (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.float().square().mean(dim=1, keepdim=True) + 1e-6).to(x.dtype)


class Encoder(nn.Module):
    """Four downscales and a flattening: (B, 3, S, S) -> (B, 8·dim·(S/16)²)."""

    def __init__(self, size: int, dim: int, *, has_pixel_norm: bool = False) -> None:
        super().__init__()
        channels = [3, dim, dim * 2, dim * 4, dim * 8]
        self.down = nn.Sequential(*(Downscale(a, b) for a, b in pairwise(channels)))
        self.norm = PixelNorm() if has_pixel_norm else nn.Identity()
        self.out_features = dim * 8 * (size // 16) ** 2

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.down(x).flatten(1))


class Bottleneck(nn.Module):
    """Two dense layers and an upscale: (B, features) -> (B, dim, 2·side, 2·side)."""

    def __init__(self, in_features: int, dim: int, out_channels: int, side: int) -> None:
        super().__init__()
        self.shrink = nn.Linear(in_features, dim)
        self.grow = nn.Linear(dim, out_channels * side * side)
        self.up = Upscale(out_channels, out_channels)
        self._shape = (out_channels, side, side)

    def forward(self, x: Tensor) -> Tensor:
        grown = self.grow(self.shrink(x)).unflatten(1, self._shape)
        return self.up(grown.contiguous(memory_format=torch.channels_last))


def initialise(module: nn.Module) -> None:
    """He initialisation for the layers' slope; sub-pixel convolutions start as nearest-neighbour upscaling.

    The latter (ICNR, Aitken et al. 2017) avoids the checkerboard that pixel shuffle starts with otherwise.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, a=0.1)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, Upscale):
            with torch.no_grad():
                part.conv.weight.copy_(part.conv.weight[::4].repeat_interleave(4, dim=0))
