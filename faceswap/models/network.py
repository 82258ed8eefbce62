"""The contract between swap networks and everything that uses them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class SwapNetwork(nn.Module, ABC):
    """Knows tensors only: patches in, code, patches and masks out."""

    @abstractmethod
    def encode(self, patches: Tensor) -> Tensor:
        """(B, 3, S, S) [0, 1] -> what all identities share of it."""

    @abstractmethod
    def decode(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """Code -> (B, 3, S, S) and (B, 1, S, S), both [0, 1], as the given identity."""

    def forward(self, patches: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        return self.decode(self.encode(patches), identity)
