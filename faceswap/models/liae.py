"""`liae`: one decoder for all; what differs between identities is a bottleneck (DeepFaceLab's LIAE architecture).

Two bottlenecks give half of the decoder's channels each. One is shared by everybody. The other belongs to an identity,
except for the first (the source), whose second half is the shared one again: what is made of a target's face with both
halves shared has the target's light and shape, and the source's looks. Further identities have a bottleneck each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from faceswap.models.layers import Bottleneck, Decoder, Encoder, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.options import Options
from faceswap.models.spec import NetworkSpec


class Bottlenecks(nn.Module):
    """(B, features) -> (B, C, s, s): an identity's own half of the channels, then the shared half."""

    def __init__(self, make: Callable[[], Bottleneck], num_identities: int) -> None:
        super().__init__()
        self.shared = make()
        self.own = nn.ModuleList(make() for _ in range(num_identities - 1))

    def forward(self, features: Tensor, identity: int) -> Tensor:
        shared = self.shared(features)
        own = shared if identity == 0 else self.own[identity - 1](features)
        return torch.cat([own, shared], dim=1)


class Liae(SwapNetwork):
    """Shared encoder and decoder, a bottleneck for all and one more for each identity but the first."""

    bottleneck: Bottlenecks

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        options = Options.of(spec)
        encoder = Encoder(spec.size, spec.encoder_dim, **options.encoder)
        dim, channels = spec.bottleneck_dim, spec.bottleneck_dim * 2
        self.encoder = encoder
        self.bottleneck = Bottlenecks(
            lambda: Bottleneck(encoder.out_features, dim, channels, options.side, **options.bottleneck), num_identities
        )
        self.decoder = Decoder(channels * 2, spec.decoder_dim, spec.mask_dim, **options.decoder)
        initialise(self)

    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> (B, features)"""
        return self.encoder(patches)

    def decode_logits(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """See `SwapNetwork.decode_logits`."""
        return self.decoder(self.bottleneck(code, identity))
