"""The contract between swap networks and everything that uses them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SwapNetwork(nn.Module):
    """Knows tensors only: patches in, code, patches and masks out.

    Networks set three parts: `encoder` and `bottleneck`, shared by all identities, and `decoders`, one for each, which
    give face and mask logits.
    """

    encoder: nn.Module
    bottleneck: nn.Module
    decoders: nn.ModuleList

    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> what all identities share of it."""
        return self.bottleneck(self.encoder(patches))

    def decode(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """Code -> (B, 3, S, S) and (B, 1, S, S), both float32 [0, 1], as the given identity."""
        face, mask = self.decoders[identity](code)
        # In float32: bfloat16 has too few steps between 0.5 and 1 and would show as bands.
        return torch.sigmoid(face.float()), torch.sigmoid(mask.float())

    def forward(self, patches: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        return self.decode(self.encode(patches), identity)
