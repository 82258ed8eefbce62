"""The contract between swap networks and everything that uses them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SwapNetwork(nn.Module):
    """Knows tensors only: patches in, code, patches and masks out.

    The names of all parameters begin with `encoder`, `bottleneck` or `decoder`: what can be kept from another model, reset
    and frozen. The usual network has an `encoder` and a `bottleneck` shared by all identities, and `decoders`, one for
    each, which give face and mask logits; others override `encode` and `decode_logits`.
    """

    encoder: nn.Module
    bottleneck: nn.Module
    decoders: nn.ModuleList
    has_morph = False
    """True when `decode_logits` takes `morph`, the share of an identity's looks in the result, [0, 1]."""

    def __init__(self, num_identities: int) -> None:
        super().__init__()
        self.num_identities = num_identities

    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> what all identities share of it, one row for each patch."""
        return self.bottleneck(self.encoder(patches))

    def decode_logits(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """Code -> (B, 3, S, S) and (B, 1, S, S), not limited yet, as the given identity.

        Raises:
            IndexError: there is no such identity.
        """
        return self.decoders[identity](code)

    def decode(self, code: Tensor, identity: int, **options: float | Tensor) -> tuple[Tensor, Tensor]:
        """Code -> (B, 3, S, S) and (B, 1, S, S), both float32 [0, 1], as the given identity."""
        face, mask = self.decode_logits(code, identity, **options)
        # In float32: bfloat16 has too few steps between 0.5 and 1 and would show as bands.
        return torch.sigmoid(face.float()), torch.sigmoid(mask.float())

    def forward(self, patches: Tensor, identity: int, **options: float | Tensor) -> tuple[Tensor, Tensor]:
        return self.decode(self.encode(patches), identity, **options)
