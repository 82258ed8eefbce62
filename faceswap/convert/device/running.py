"""What is remembered of tracks, followed for a whole batch at once.

A value that follows each track's frames (state += weight x (seen - state)) is a product of small factors; written as one matrix
over the places of a batch, it costs a few launches instead of some for each face, and nobody asks the device what it found.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.convert.device.planes import to_device

K = TypeVar("K", bound=Hashable)


class RunningMeans(Generic[K]):
    """One running mean of n numbers for each track."""

    def __init__(self, follow: float, device: torch.device) -> None:
        """Begin without memory.

        Args:
            follow: share by which a mean moves to a new frame's value; a plain mean at first, until 1 / count falls below it.
        """
        self._follow, self._device = follow, device
        self._state: dict[K, tuple[Tensor, Tensor]] = {}

    def follow(self, keys: Sequence[K], seen: Tensor, is_valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of each place after its frame, and whether there are any yet.

        Args:
            keys: (shot, track) of each place, in the order of frames.
            seen: (B, n) float64. is_valid: (B,) bool on the device; where it is False the frame says nothing.

        Returns:
            (B, n) float64 and (B,) bool.
        """
        known = [key for key in dict.fromkeys(keys) if key in self._state]
        rows = [*known, *keys]  # what was known comes first, as if it were seen with full weight
        number = {key: i for i, key in enumerate(dict.fromkeys(rows))}
        tracks = to_device(np.array([number[key] for key in rows]), self._device)
        seen = torch.where(is_valid[:, None], seen, 0)
        old = [self._state[key] for key in known]
        old_counts = torch.stack([count for _, count in old]) if old else seen[:0, 0]
        values = torch.cat([*(value[None] for value, _ in old), seen])
        counts = torch.cat([old_counts, is_valid.double()])
        order = torch.arange(len(rows), device=self._device)
        is_before = (tracks[:, None] == tracks) & (order[:, None] >= order)  # [i, j]: j is of i's track, not later
        total = is_before.double() @ counts
        weight = torch.cat(
            [torch.ones_like(old_counts), (1 / total[len(known) :].clamp(min=1)).clamp(min=self._follow)]
        ) * (counts > 0)
        # [i, j] = what is left at i of what came in at j: the product of (1 - weight) over the places after j up to i.
        is_after = (tracks[:, None] == tracks) & (order[:, None] > order)
        left = torch.where(is_after, 1 - weight[:, None], 1.0).cumprod(dim=0)
        means = (left * is_before * weight) @ values
        has_any = total > 0
        for key, i in {key: i for i, key in enumerate(rows)}.items():
            self._state[key] = means[i], total[i]
        return means[len(known) :], has_any[len(known) :]

    def values(self) -> dict[K, NDArray[np.float64]]:
        """Return the mean of each track of which something was seen; waits for the device."""
        return {key: mean.cpu().numpy() for key, (mean, count) in self._state.items() if float(count) > 0}
