"""A U-Net discriminator (Schönfeld et al. 2020): its opinion of a picture as a whole, patch by patch, and of each pixel."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.2


class Discriminator(nn.Module):
    """(B, 3, S, S) -> logits of patches (B, 1, S/8, S/8) and of pixels (B, 1, S, S); positive = real."""

    def __init__(self, dim: int = 16) -> None:
        super().__init__()
        channels = [3, dim, dim * 2, dim * 4]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(channels))
        self.patch = nn.Conv2d(dim * 4, 1, 3, padding=1)
        up = [(dim * 4, dim * 2), (dim * 4, dim), (dim * 2, dim)]
        self.up = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in up)
        self.pixel = nn.Conv2d(dim, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        levels = []
        for conv in self.down:
            x = functional.leaky_relu(conv(x), _SLOPE)
            levels.append(x)
        patch = self.patch(x)
        for number, conv in enumerate(self.up):
            if number:
                x = torch.cat([x, levels[-1 - number]], dim=1)
            x = functional.leaky_relu(conv(functional.interpolate(x, scale_factor=2.0)), _SLOPE)
        return patch.float(), self.pixel(x).float()
