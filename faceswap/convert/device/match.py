"""`convert.match` for a batch of faces on a device: the same statistics, steadily over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from faceswap.convert.device import statistics
from faceswap.convert.device.planes import to_device
from faceswap.convert.device.running import RunningMeans
from faceswap.convert.device.statistics import Moments
from faceswap.convert.match import MIN_AREA, Key
from faceswap.convert.match_kinds import KINDS as CPU_KINDS
from faceswap.convert.match_kinds import MAX_CONTRAST, THIN_SIDE, Vector

_MAPS = {"mkl": statistics.mkl_map, "reinhard": statistics.reinhard_map, "mean": statistics.mean_map}
KINDS = frozenset(_MAPS)


class DeviceColorMatcher:
    """Keeps the colour statistics of each track on the device: `match.ColorMatcher`."""

    def __init__(
        self,
        kind: str,
        device: torch.device,
        *,
        settled: Mapping[Key, Vector] | None = None,
        follow: float | None = None,
    ) -> None:
        """Begin without memory.

        Args:
            kind: one of `KINDS`. settled, follow: as for `match.ColorMatcher`.
        """
        self._map, self._device = _MAPS[kind], device
        self._settled = settled or {}
        self._means = RunningMeans[Key](CPU_KINDS[kind].follow if follow is None else follow, device)

    @property
    def seen(self) -> Mapping[Key, Vector]:
        """What is known of each track that was followed; waits for the device."""
        return self._means.values()

    def match(self, keys: Sequence[Key], swapped: Tensor, originals: Tensor, masks: Tensor) -> Tensor:
        """Return the swapped patches with the colours of the originals.

        Args:
            keys: (shot, track) of each patch, in frame order.
            swapped, originals: (B, 3, S, S) float32 RGB [0, 1]. masks: (B, 1, S, S) [0, 1].
        """
        step = max(1, swapped.shape[-1] // THIN_SIDE)
        new, old, weight = (each[..., ::step, ::step].flatten(2).double() for each in (swapped, originals, masks))
        source, target = statistics.paired_moments(new, old, weight[:, 0])
        is_valid = masks.sum(dim=(1, 2, 3)) >= MIN_AREA
        means, has_any = self._means.follow(keys, torch.cat([source.flat(), target.flat()], dim=1), is_valid)
        if self._settled:
            rows = np.stack([self._settled.get(key, np.full(24, np.nan)) for key in keys])
            settled = to_device(rows, self._device)
            is_settled = settled.isfinite().all(dim=1)
            means, has_any = torch.where(is_settled[:, None], settled, means), has_any | is_settled
        source, target = Moments.of_flat(means[:, :12]), Moments.of_flat(means[:, 12:])
        fit = statistics.limited(self._map(source, target), source.mean, MAX_CONTRAST)
        matched = fit.of(swapped.flatten(2)).clamp(0, 1).view_as(swapped)
        return torch.where(has_any[:, None, None, None], matched, swapped)
