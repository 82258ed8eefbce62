"""`convert.definition` for a batch of faces on a device."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from faceswap.convert import definition as reference
from faceswap.convert.device.filters import blur
from faceswap.convert.device.running import RunningMeans
from faceswap.figures.detail import BAND_SIGMAS


class DeviceDefinitionMatcher:
    """Keeps the sharpness of each track and of its swapped face on the device: `definition.DefinitionMatcher`."""

    def __init__(self, device: torch.device) -> None:
        self._moments = RunningMeans[Hashable](reference.FOLLOW, device, starts_plain=False)

    def match(
        self, keys: Sequence[Hashable], swapped: Tensor, original: Tensor, mask: Tensor, noise: Tensor, strength: Tensor
    ) -> Tensor:
        """Return the swapped patches as sharp as the originals.

        Args:
            keys: (shot, track) of each patch, in frame order.
            swapped, original: (B, 3, S, S) float32 RGB [0, 1]. mask: (B, 1, S, S) [0, 1].
            noise: (B,) deviation of the original's grain at the size of the patch, luma [0, 1].
            strength: (B,) 0 = as it was, 1 = all the way.
        """
        weight = (mask[:, 0] > 0.9).double()
        is_valid = (strength > 0) & (weight.sum(dim=(1, 2)) >= reference.MIN_AREA)
        finest = swapped - blur(swapped, reference.SIGMA)
        whole, part, wanted = (_band(each.mean(dim=1, keepdim=True))[:, 0] for each in (swapped, finest, original))
        products = torch.stack([whole * whole, whole * part, part * part, wanted * wanted], dim=1)
        seen = (products * weight[:, None]).sum(dim=(2, 3)) / weight.sum(dim=(1, 2)).clamp(min=1)[:, None]
        grain = reference.NOISE_IN_BAND * noise.double().square()
        seen = torch.cat([seen[:, :3], (seen[:, 3:] - grain[:, None]).clamp(min=0)], dim=1)
        means, _ = self._moments.follow(keys, seen, is_valid)
        gain = (strength * (_gain(means) - 1)).float().view(-1, 1, 1, 1)
        return torch.where(is_valid.view(-1, 1, 1, 1), (swapped + gain * finest).clamp(0, 1), swapped)


def _band(luma: Tensor) -> Tensor:
    """Return the band of (B, 1, S, S) planes that `figures.detail.band` gives."""
    fine, coarse = (blur(luma, sigma) for sigma in BAND_SIGMAS)
    return fine - coarse


def _gain(moments: Tensor) -> Tensor:
    """Return the (B,) factors of the finest band that give the swapped faces the originals' energy."""
    own, product, part, wanted = moments.unbind(dim=1)
    half = product / part.clamp(min=1e-12)
    inner = half.square() - (own - wanted) / part.clamp(min=1e-12)
    return (1 - half + inner.clamp(min=0).sqrt()).clamp(reference.MIN_GAIN, reference.MAX_GAIN)
