"""`liae`: one decoder for all; what differs between identities is a bottleneck (DeepFaceLab's LIAE architecture).

Two bottlenecks give half of the decoder's channels each. One is shared by everybody. The other belongs to an identity,
except for the first (the source), whose second half is the shared one again: what is made of a target's face with both
halves shared has the target's light and shape, and the source's looks. Further identities have a bottleneck each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceswap.models.layers import Bottleneck, Decoder, Encoder, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.options import Options
from faceswap.models.spec import NetworkSpec


class Liae(SwapNetwork):
    """Shared encoder and decoder, a bottleneck for all and one more for each identity but the first."""

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        options = Options.of(spec)
        self.encoder = Encoder(spec.size, spec.encoder_dim, **options.encoder)
        channels = spec.bottleneck_dim * 2

        def bottleneck() -> Bottleneck:
            features = self.encoder.out_features
            return Bottleneck(features, spec.bottleneck_dim, channels, options.side, **options.bottleneck)

        own = nn.ModuleList(bottleneck() for _ in range(num_identities - 1))
        self.bottleneck = nn.ModuleDict({"shared": bottleneck(), "own": own})
        self.decoder = Decoder(channels * 2, spec.decoder_dim, spec.mask_dim, **options.decoder)
        initialise(self)

    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> (B, features)"""
        return self.encoder(patches)

    def decode_logits(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """See `SwapNetwork.decode_logits`."""
        shared = self.bottleneck["shared"](code)
        own = shared if identity == 0 else self._own(identity)(code)
        return self.decoder(torch.cat([own, shared], dim=1))

    def _own(self, identity: int) -> nn.Module:
        bottlenecks = self.bottleneck["own"]
        assert isinstance(bottlenecks, nn.ModuleList)
        return bottlenecks[identity - 1]
