"""`df`: one shared encoder and bottleneck, one decoder for each identity (DeepFaceLab's DF architecture).

Options: "u" puts a pixel norm after the encoder, "d" lets the decoder work at half the size and makes the last
doubling by pixel shuffle (3.6 times less work).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from faceswap.errors import UsageError
from faceswap.models.layers import Bottleneck, Encoder, Residual, Upscale, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.spec import NetworkSpec


class Decoder(nn.Module):
    """(B, C, s, s) -> face (B, 3, S, S) and mask (B, 1, S, S) logits; three doublings, four with "d"."""

    def __init__(self, in_channels: int, dim: int, mask_dim: int, *, is_doubled: bool) -> None:
        super().__init__()
        channels = [in_channels, dim * 8, dim * 4, dim * 2]
        self.up = nn.ModuleList(Upscale(a, b) for a, b in pairwise(channels))
        self.residual = nn.ModuleList(Residual(c) for c in channels[1:])
        mask_channels = [in_channels, mask_dim * 8, mask_dim * 4, mask_dim * 2, *([mask_dim] if is_doubled else [])]
        self.mask_up = nn.Sequential(*(Upscale(a, b) for a, b in pairwise(mask_channels)))
        self.is_doubled = is_doubled
        # Four small convolutions in DeepFaceLab, one of which has a 1x1 kernel; one with all channels is the same work.
        self.to_face = nn.Conv2d(dim * 2, 12 if is_doubled else 3, 3, padding=1)
        self.to_mask = nn.Conv2d(mask_channels[-1], 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        face = x
        for up, residual in zip(self.up, self.residual, strict=True):
            face = residual(up(face))
        face = self.to_face(face)
        if self.is_doubled:
            face = functional.pixel_shuffle(face, 2)
        return face, self.to_mask(self.mask_up(x))


class Df(SwapNetwork):
    """Shared encoder and bottleneck, a decoder for each identity."""

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__()
        step = 32 if "d" in spec.options else 16
        if spec.size % step:
            raise UsageError(
                f"network size {spec.size} is not possible with options {spec.options!r}; use a multiple of {step}"
            )
        unknown = set(spec.options) - set("ud")
        if unknown:
            raise UsageError(
                f"unknown network option {''.join(sorted(unknown))!r} in {spec.options!r}; df knows u and d"
            )
        self.encoder = Encoder(spec.size, spec.encoder_dim, has_pixel_norm="u" in spec.options)
        self.bottleneck = Bottleneck(
            self.encoder.out_features, spec.bottleneck_dim, spec.bottleneck_dim, spec.size // step
        )
        self.decoders = nn.ModuleList(
            Decoder(spec.bottleneck_dim, spec.decoder_dim, spec.mask_dim, is_doubled="d" in spec.options)
            for _ in range(num_identities)
        )
        initialise(self)
