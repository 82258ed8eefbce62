"""The random numbers of a batch: drawn on the CPU, so that every device gets the same ones, and moved in one copy."""

from __future__ import annotations

import torch
from torch import Tensor

_WIDTH = 96
"""Numbers a sample may use. Fixed, so that turning one kind of variation on does not change the draws of the others."""


def uniform(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Return numbers in [0, 1) on a device."""
    return moved(torch.rand(shape, generator=generator), device)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device; the copy to a GPU does not make the host wait."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Draws:
    """One row of numbers for each sample, handed out by place.

    Args:
        numbers: (B, 96) in [0, 1).
    """

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers

    @classmethod
    def make(cls, count: int, generator: torch.Generator) -> Draws:
        """Return new numbers, on the CPU."""
        return cls(torch.rand((count, _WIDTH), generator=generator))

    def on(self, device: torch.device) -> Draws:
        """Return the same numbers on a device."""
        return Draws(moved(self._numbers, device))

    def part(self, rows: slice) -> Draws:
        """Return the numbers of some samples."""
        return Draws(self._numbers[rows])

    def __len__(self) -> int:
        return len(self._numbers)

    def unit(self, place: int) -> Tensor:
        """(B,) in [0, 1)."""
        return self._numbers[:, place]

    def signed(self, place: int, num: int = 1) -> Tensor:
        """(B, num) in [-1, 1)."""
        return self._numbers[:, place : place + num] * 2 - 1

    def happens(self, place: int, probability: float) -> Tensor:
        """(B, 1, 1, 1) bool."""
        return (self._numbers[:, place] < probability).view(-1, 1, 1, 1)
