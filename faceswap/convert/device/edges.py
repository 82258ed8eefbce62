"""`masks.edges` and `masks.steady` for a batch of masks on a device."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from faceswap.convert.device.filters import blur, boxed, dilated, eroded
from faceswap.masks import edges, steady


def with_clean_support(masks: Tensor) -> Tensor:
    """Return (B, 1, S, S) masks with values too small to matter set to 0, and the outermost px closed."""
    result = torch.where(masks < edges.SUPPORT_FLOOR, 0, masks)
    result[..., 0, :] = 0
    result[..., -1, :] = 0
    result[..., :, 0] = 0
    result[..., :, -1] = 0
    return result


def shape_edge(masks: Tensor, *, erode: float, feather: float) -> Tensor:
    """Return (B, 1, S, S) masks shrunk by `erode` px, at least 0, with a soft edge `feather` px wide inside of that."""
    inner = eroded(masks, round(erode + feather / 2))
    return with_clean_support(blur(inner, feather / 6, "zero") if feather > 0 else inner)


def guided_filter(masks: Tensor, guide: Tensor, *, radius: int, eps: float = 1e-3) -> Tensor:
    """Return (B, 1, S, S) masks with their edges moved to edges of (B, 3, S, S) pictures."""
    grey = guide.mean(dim=1, keepdim=True)
    grey_mean, mask_mean, product, square = boxed(
        torch.cat([grey, masks, grey * masks, grey * grey], dim=1), radius, "mirror"
    ).split(1, dim=1)
    slope = (product - grey_mean * mask_mean) / (square - grey_mean.square() + eps)
    slope, offset = boxed(torch.cat([slope, mask_mean - slope * grey_mean], dim=1), radius, "mirror").split(1, dim=1)
    return (slope * grey + offset).clamp(0, 1)


class DeviceSteadyMasks:
    """Keeps the mask of each track on the device: `masks.steady.SteadyMasks`. Frame by frame: each depends on the last."""

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[int, Tensor]] = {}

    def follow(
        self, keys: Sequence[Hashable], frames: Sequence[int], masks: Tensor, strengths: Sequence[float]
    ) -> Tensor:
        """Return (B, 1, S, S) masks, steadied by those before them; those of a track come in the order of their frames."""
        results = []
        for key, frame, mask, strength in zip(keys, frames, masks.split(1), strengths, strict=True):
            if strength > 0:
                last = self._last.get(key)
                if last is not None and 0 <= frame - last[0] <= steady.MAX_GAP and last[1].shape == mask.shape:
                    mask = _steadied(mask, last[1], strength)
                self._last[key] = frame, mask
            results.append(mask)
        return torch.cat(results)


def _steadied(now: Tensor, before: Tensor, strength: float) -> Tensor:
    reach = max(1, round(steady.NEAR * now.shape[-1] / 2))
    largest = boxed(dilated((now - before).abs(), reach), reach)
    stays = strength * ((steady.CHANGE - largest) / (steady.CHANGE - steady.NOISE)).clamp(0, 1)
    return now + stays * (before - now)
