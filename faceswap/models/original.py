"""`original`: the 64 px autoencoder of the first deepfakes, in its usual shape: 82 million parameters for two
identities, plus the mask branches.

A shared encoder of four downscales (128 to 1024 channels) and two dense layers; decoders of three upscales.
The mask has a small branch of its own, which the first version lacked.
"""

from __future__ import annotations

from torch import Tensor, nn

from faceswap.errors import UsageError
from faceswap.models.layers import Bottleneck, Encoder, Upscale, initialise
from faceswap.models.network import SwapNetwork
from faceswap.models.spec import NetworkSpec

_SIZE = 64
_ENCODER_DIM = 128
_BOTTLENECK_DIM = 1024


class Decoder(nn.Module):
    """(B, 1024, 8, 8) -> (B, 3, 64, 64) and (B, 1, 64, 64) logits."""

    def __init__(self, mask_dim: int) -> None:
        super().__init__()
        self.face = nn.Sequential(
            Upscale(_BOTTLENECK_DIM // 2, 256), Upscale(256, 128), Upscale(128, 64), nn.Conv2d(64, 3, 5, padding=2)
        )
        self.mask = nn.Sequential(
            Upscale(_BOTTLENECK_DIM // 2, mask_dim * 4),
            Upscale(mask_dim * 4, mask_dim * 2),
            Upscale(mask_dim * 2, mask_dim),
            nn.Conv2d(mask_dim, 1, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.face(x), self.mask(x)


class Original(SwapNetwork):
    """Fixed at 64 px; of the spec only `mask_dim` has a say."""

    def __init__(self, spec: NetworkSpec, num_identities: int) -> None:
        super().__init__(num_identities)
        if spec.size != _SIZE or spec.options:
            raise UsageError(f"the network 'original' is fixed at {_SIZE} px without options; use 'df' for others")
        self.encoder = Encoder(_SIZE, _ENCODER_DIM)
        self.bottleneck = Bottleneck(self.encoder.out_features, _BOTTLENECK_DIM, _BOTTLENECK_DIM, 4)
        self.bottleneck.up = Upscale(_BOTTLENECK_DIM, _BOTTLENECK_DIM // 2)
        self.decoders = nn.ModuleList(Decoder(spec.mask_dim) for _ in range(num_identities))
        initialise(self)
