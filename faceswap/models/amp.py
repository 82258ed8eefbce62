"""`amp`: a slider between the target's looks and the source's (DeepFaceLab's AMP architecture).

One encoder and one decoder for all, and for each identity a dense layer that gives the decoder's channels. The last
identity (the target of a two-person model) is the ground: another identity takes a share of the channels, the ground's
layer gives the rest. While training that share is `morph` and the channels are chosen anew for each face, so that the
decoder learns every mixture; in conversion the first channels are taken, as many as `morph` says.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceswap.models.layers import Decoder, Encoder, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.options import require_multiple, require_no_options
from faceswap.models.spec import NetworkSpec


class Amp(SwapNetwork):
    """Shared encoder and decoder, a dense layer for each identity."""

    has_morph = True

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        require_no_options(spec)
        require_multiple(spec, 32)
        self.train_morph = spec.morph
        side = spec.size // 32
        self._shape = (spec.morph_dim, side, side)
        self.encoder = Encoder(spec.size, spec.encoder_dim, has_pixel_norm=True, is_deep=True)
        grown = spec.morph_dim * side * side
        own = nn.ModuleList(nn.Linear(spec.bottleneck_dim, grown) for _ in range(num_identities))
        self.bottleneck = nn.ModuleDict({"shrink": nn.Linear(self.encoder.out_features, spec.bottleneck_dim), "own": own})
        self.decoder = Decoder(spec.morph_dim, spec.decoder_dim, spec.mask_dim, is_doubled=True, is_deep=True)
        initialise(self)

    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> (B, bottleneck_dim)"""
        return self.bottleneck["shrink"](self.encoder(patches))

    def decode_logits(self, code: Tensor, identity: int, morph: float = 1.0) -> tuple[Tensor, Tensor]:
        """See `SwapNetwork.decode_logits`; `morph` is not heard while training."""
        mixed = self._grown(code, identity)
        ground = self.num_identities - 1
        if identity != ground and (self.training or morph < 1):
            share = self._random(code) < self.train_morph if self.training else self._first(code) < morph
            mixed = torch.where(share[..., None, None], mixed, self._grown(code, ground))
        return self.decoder(mixed.contiguous(memory_format=torch.channels_last))

    def _grown(self, code: Tensor, identity: int) -> Tensor:
        layers = self.bottleneck["own"]
        assert isinstance(layers, nn.ModuleList)
        return layers[identity](code).unflatten(1, self._shape)

    def _first(self, code: Tensor) -> Tensor:
        """(1, C) where in [0, 1) each channel stands in their order."""
        channels = self._shape[0]
        return (torch.arange(channels, device=code.device) / channels).unsqueeze(0)

    def _random(self, code: Tensor) -> Tensor:
        """(B, C) evenly spread over [0, 1), another row for each face.

        They follow from the code itself and not from a generator: a resumed run, and one replayed from a CUDA graph,
        chooses what the uninterrupted one would have.
        """
        seed = code.detach().float().mul(97.0).sin().sum(dim=1, keepdim=True)
        number = torch.arange(self._shape[0], device=code.device, dtype=torch.float32)
        return ((seed * 12.9898 + number * 78.233).sin() * 43758.5453).frac().abs()
