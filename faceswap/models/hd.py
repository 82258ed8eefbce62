"""`hd`: residual, without aliasing, one decoder for all that each identity tunes channel by channel.

Made against what shows most in conversion: detail that flickers or sticks to the pixel grid. No dense layer and no pixel
shuffle of its own kernels: all halving and doubling is smoothed (`smooth`), so that the picture moves as its input does.
The code is a small picture of some 8x8 places with few channels: too little for looks, enough for expression and pose;
looks are in the decoder, whose every convolution has a gain and a shift for each channel and identity. Another identity
costs a few thousand numbers, not a decoder.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.models.layers import PixelNorm, Residual, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.options import require_multiple, require_no_options
from faceswap.models.smooth import SmoothDown, SmoothUp, convolved
from faceswap.models.spec import NetworkSpec

_CODE_SIDE = 8
"""px of the code, about: sizes are halved until they are next to it."""
_CODE_SHARE = 16
"""Channels of the code = bottleneck_dim / this: 1,024 numbers at 128 or 256 px by default."""
_STYLE_NOISE = 0.1


class Styled(nn.Module):
    """A 3x3 convolution whose channels each identity scales and shifts, and a leaky ReLU of slope 0.2."""

    def __init__(self, in_channels: int, channels: int, num_identities: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.conv = SmoothUp(in_channels, channels) if doubles else nn.Conv2d(in_channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.randn(num_identities, channels) * _STYLE_NOISE)
        self.shift = nn.Parameter(torch.randn(num_identities, channels) * _STYLE_NOISE)

    def forward(self, x: Tensor, identity: int) -> Tensor:
        conv = self.conv.conv if isinstance(self.conv, SmoothUp) else self.conv
        assert conv.bias is not None
        # Weights are scaled, not pictures: these have many more numbers.
        gain = 1 + self.gain[identity]
        weight, bias = conv.weight * gain.view(-1, 1, 1, 1), conv.bias * gain + self.shift[identity]
        if isinstance(self.conv, SmoothUp):
            return functional.leaky_relu(self.conv.convolve(x, weight, bias), 0.2)
        return functional.leaky_relu(convolved(x, weight, bias), 0.2)


class StyledResidual(nn.Module):
    """Two styled convolutions beside a skip, divided by the root of 2: values keep their spread."""

    def __init__(self, channels: int, num_identities: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Styled(channels, channels, num_identities) for _ in range(2))

    def forward(self, x: Tensor, identity: int) -> Tensor:
        inner = x
        for conv in self.convs:
            inner = conv(inner, identity)
        return (x + inner) * math.sqrt(0.5)


class StyledDecoder(nn.Module):
    """(B, C, s, s) -> face (B, 3, S, S) and mask (B, 1, S, S) logits, as an identity."""

    def __init__(self, in_channels: int, widths: list[int], num_identities: int) -> None:
        super().__init__()
        first, last = widths[0], widths[-1]
        self.begin = Styled(in_channels, first, num_identities)
        steps: list[nn.Module] = [StyledResidual(first, num_identities), StyledResidual(first, num_identities)]
        for a, b in pairwise(widths):
            steps += [Styled(a, b, num_identities, doubles=True), StyledResidual(b, num_identities)]
        self.steps = nn.ModuleList(steps)
        self.to_picture = nn.Conv2d(last, 4, 3, padding=1)

    def forward(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        x = self.begin(code, identity)
        for step in self.steps:
            x = step(x, identity)
        picture = self.to_picture(x)
        return picture[:, :3], picture[:, 3:]


class Hd(SwapNetwork):
    """Shared encoder, bottleneck and decoder; identities are rows of the decoder's tables."""

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        require_no_options(spec)
        halvings = round(math.log2(spec.size / _CODE_SIDE))
        require_multiple(spec, 2**halvings)
        # Channels at full size, half size ...: half of the dims, then the dims, up to 8 times them.
        encoder_widths, decoder_widths = (
            [dim * min(16, 2**i) // 2 for i in range(halvings + 1)] for dim in (spec.encoder_dim, spec.decoder_dim)
        )
        code_channels = max(4, spec.bottleneck_dim // _CODE_SHARE)
        blocks: list[nn.Module] = [nn.Conv2d(3, encoder_widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        for a, b in pairwise(encoder_widths):
            blocks += [SmoothDown(a, b), nn.LeakyReLU(0.2), Residual(b)]
        self.encoder = nn.Sequential(*blocks)
        self.bottleneck = nn.Sequential(nn.Conv2d(encoder_widths[-1], code_channels, 1), PixelNorm())
        self.decoder = StyledDecoder(code_channels, decoder_widths[::-1], num_identities)
        initialise(self)

    def decode_logits(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """See `SwapNetwork.decode_logits`."""
        return self.decoder(code, identity)
