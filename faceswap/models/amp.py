"""`amp`: a slider between the target's looks and the source's (DeepFaceLab's AMP architecture).

One encoder and one decoder for all, and for each identity a dense layer that gives the decoder's channels. The last
identity (the target of a two-person model) is the ground: another identity takes a share of the channels, the ground's
layer gives the rest. While training that share is `morph` and the channels are chosen anew for each face, so that the
decoder learns every mixture; in conversion the first channels are taken, as many as `morph` says.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from faceswap.models.layers import Decoder, Encoder, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.options import require_multiple, require_no_options
from faceswap.models.spec import NetworkSpec


class DenseLayers(nn.Module):
    """A dense layer for all, and one more for each identity that grows channels of a small picture from its numbers."""

    def __init__(self, features: int, dim: int, shape: tuple[int, int, int], num_identities: int) -> None:
        super().__init__()
        self.shrink = nn.Linear(features, dim)
        self.grow = nn.ModuleList(nn.Linear(dim, math.prod(shape)) for _ in range(num_identities))
        self._shape = shape

    def forward(self, code: Tensor, identity: int) -> Tensor:
        """(B, dim) -> (B, C, s, s) of an identity."""
        return self.grow[identity](code).unflatten(1, self._shape)


class Amp(SwapNetwork):
    """Shared encoder and decoder, a dense layer for each identity."""

    has_morph = True
    bottleneck: DenseLayers

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        require_no_options(spec)
        require_multiple(spec, 32)
        side = spec.size // 32
        self.morph_dim, self.train_morph = spec.morph_dim, spec.morph
        self.encoder = Encoder(spec.size, spec.encoder_dim, has_pixel_norm=True, is_deep=True)
        features = self.encoder.out_features
        self.bottleneck = DenseLayers(features, spec.bottleneck_dim, (spec.morph_dim, side, side), num_identities)
        self.decoder = Decoder(spec.morph_dim, spec.decoder_dim, spec.mask_dim, is_doubled=True, is_deep=True)
        initialise(self)

    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> (B, bottleneck_dim)"""
        return self.bottleneck.shrink(self.encoder(patches))

    def decode_logits(self, code: Tensor, identity: int, morph: float | Tensor = 1.0) -> tuple[Tensor, Tensor]:
        """See `SwapNetwork.decode_logits`; while training the spec's `morph` counts and not this one."""
        mixed, ground = self.bottleneck(code, identity), self.num_identities - 1
        # A tensor is the input of an exported graph: it may hold any share.
        if identity != ground and (self.training or isinstance(morph, Tensor) or morph < 1):
            is_own = self._spread(code) < self.train_morph if self.training else self._order(code) < morph
            mixed = torch.where(is_own[..., None, None], mixed, self.bottleneck(code, ground))
        return self.decoder(mixed.contiguous(memory_format=torch.channels_last))

    def _order(self, code: Tensor) -> Tensor:
        """(1, C) where each channel stands among all, [0, 1)."""
        return torch.arange(self.morph_dim, device=code.device).unsqueeze(0) / self.morph_dim

    def _spread(self, code: Tensor) -> Tensor:
        """(B, C) as if at random in [0, 1), another row for each face.

        They follow from the code itself and not from a generator: a resumed run chooses what the uninterrupted one would
        have, and so does one that is replayed from a CUDA graph.
        """
        seed = code.detach().float().mul(97.0).sin().sum(dim=1, keepdim=True)
        number = torch.arange(self.morph_dim, device=code.device, dtype=torch.float32)
        return ((seed * 12.9898 + number * 78.233).sin() * 43758.5453).frac().abs()
