"""`df`: one shared encoder and bottleneck, one decoder for each identity (DeepFaceLab's DF architecture).

Keeps the shape of the target's face less than `liae`, and looks most like the source.
"""

from __future__ import annotations

from torch import nn

from faceswap.models.layers import Bottleneck, Decoder, Encoder, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.options import Options
from faceswap.models.spec import NetworkSpec


class Df(SwapNetwork):
    """Shared encoder and bottleneck, a decoder for each identity."""

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        options = Options.of(spec)
        self.encoder = Encoder(spec.size, spec.encoder_dim, **options.encoder)
        self.bottleneck = Bottleneck(
            self.encoder.out_features, spec.bottleneck_dim, spec.bottleneck_dim, options.side, **options.bottleneck
        )
        self.decoders = nn.ModuleList(
            Decoder(spec.bottleneck_dim, spec.decoder_dim, spec.mask_dim, **options.decoder)
            for _ in range(num_identities)
        )
        initialise(self)
