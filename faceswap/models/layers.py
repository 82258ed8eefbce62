"""Blocks shared by the swap networks. The shapes follow the published deepfake autoencoders (DeepFaceLab paper,
Perov et al. 2020); activations are leaky ReLUs of slope 0.1, or 0.2 inside residual blocks, or x·cos x (option "c")."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.models import convolve

Activation = Callable[[Tensor, float], Tensor]
"""Of a tensor and the slope that a leaky ReLU has below zero."""


def cosine(x: Tensor, slope: float) -> Tensor:
    """Return x·cos x; it has no slope to choose."""
    return x * torch.cos(x)


class Downscale(nn.Module):
    """5x5 convolution of stride 2: (B, C, H, W) -> (B, D, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int, activate: Activation = functional.leaky_relu) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 5, stride=2, padding=2)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(convolve.halving(x, self.conv.weight, self.conv.bias), 0.1)


class Upscale(nn.Module):
    """3x3 convolution and pixel shuffle: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int, activate: Activation = functional.leaky_relu) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels * 4, 3, padding=1)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.activate(convolve.same(x, self.conv.weight, self.conv.bias), 0.1), 2)


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip; the shape stays."""

    def __init__(self, channels: int, activate: Activation = functional.leaky_relu) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(x + self.conv2(self.activate(self.conv1(x), 0.2)), 0.2)


class PixelNorm(nn.Module):
    """Divide each sample by its root mean square over the features (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.float().square().mean(dim=1, keepdim=True) + 1e-6).to(x.dtype)


class Encoder(nn.Module):
    """Four downscales, or five and two residual blocks (deep), and a flattening: (B, 3, S, S) -> (B, features)."""

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        has_pixel_norm: bool = False,
        is_deep: bool = False,
        activate: Activation = functional.leaky_relu,
    ) -> None:
        super().__init__()
        channels = [3, dim, dim * 2, dim * 4, dim * 8, *([dim * 8] if is_deep else [])]
        blocks: list[nn.Module] = [Downscale(a, b, activate) for a, b in pairwise(channels)]
        if is_deep:
            blocks = [blocks[0], Residual(dim, activate), *blocks[1:], Residual(dim * 8, activate)]
        self.down = nn.Sequential(*blocks)
        self.norm = PixelNorm() if has_pixel_norm else nn.Identity()
        self.out_features = dim * 8 * (size // (32 if is_deep else 16)) ** 2

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.down(x).flatten(1))


class Bottleneck(nn.Module):
    """Two dense layers and an upscale: (B, features) -> (B, channels, 2·side, 2·side); a deep one has no upscale."""

    def __init__(
        self,
        in_features: int,
        dim: int,
        out_channels: int,
        side: int,
        *,
        is_deep: bool = False,
        activate: Activation = functional.leaky_relu,
    ) -> None:
        super().__init__()
        self.shrink = nn.Linear(in_features, dim)
        self.grow = nn.Linear(dim, out_channels * side * side)
        self.up = nn.Identity() if is_deep else Upscale(out_channels, out_channels, activate)
        self._shape = (out_channels, side, side)

    def forward(self, x: Tensor) -> Tensor:
        grown = self.grow(self.shrink(x)).unflatten(1, self._shape)
        return self.up(grown.contiguous(memory_format=torch.channels_last))


class Decoder(nn.Module):
    """(B, C, s, s) -> face (B, 3, S, S) and mask (B, 1, S, S) logits: three doublings (four if deep), and one more by
    pixel shuffle if doubled."""

    def __init__(
        self,
        in_channels: int,
        dim: int,
        mask_dim: int,
        *,
        is_doubled: bool,
        is_deep: bool = False,
        activate: Activation = functional.leaky_relu,
    ) -> None:
        super().__init__()
        widths = [8, 8, 4, 2] if is_deep else [8, 4, 2]
        channels = [in_channels, *(dim * width for width in widths)]
        self.up = nn.ModuleList(Upscale(a, b, activate) for a, b in pairwise(channels))
        self.residual = nn.ModuleList(Residual(c, activate) for c in channels[1:])
        mask_channels = [in_channels, *(mask_dim * width for width in (*widths, *([1] if is_doubled else [])))]
        self.mask_up = nn.Sequential(*(Upscale(a, b, activate) for a, b in pairwise(mask_channels)))
        self.is_doubled = is_doubled
        # Four small convolutions in DeepFaceLab, one of which has a 1x1 kernel; one with all channels is the same work.
        self.to_face = nn.Conv2d(channels[-1], 12 if is_doubled else 3, 3, padding=1)
        self.to_mask = nn.Conv2d(mask_channels[-1], 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        face = x
        for up, residual in zip(self.up, self.residual, strict=True):
            face = residual(up(face))
        face = self.to_face(face)
        if self.is_doubled:
            face = functional.pixel_shuffle(face, 2)
        return face, self.to_mask(self.mask_up(x))


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
