"""`convert.light.keep_light` for a batch of faces on a device."""

from __future__ import annotations

import torch
from torch import Tensor

from faceswap.convert import light as reference
from faceswap.convert.device.filters import area, blur, enlarged


def keep_light(swapped: Tensor, original: Tensor, mask: Tensor, strength: Tensor) -> Tensor:
    """Return the swapped patches under the originals' coarse light.

    Args:
        swapped, original: (B, 3, S, S) float32 RGB [0, 1]. mask: (B, 1, S, S) [0, 1].
        strength: (B,) float32, 0 = as it was, 1 = all of the light.
    """
    low_mask = _coarse(mask)
    share = low_mask.clamp(min=reference.MIN_WEIGHT)
    new, old = (picture.clamp(0, 1).pow(reference.GAMMA) for picture in (swapped, original))
    coarse_new, coarse_old = (_coarse(each * mask) / share for each in (new, old))
    gains = (coarse_old + reference.FLOOR) / (coarse_new + reference.FLOOR)
    gains = gains.clamp(1 / reference.MAX_GAIN, reference.MAX_GAIN) ** (strength / reference.GAMMA).view(-1, 1, 1, 1)
    gains = 1 + (low_mask / (4 * reference.MIN_WEIGHT)).clamp(0, 1) * (gains - 1)
    before, after = ((picture * mask).sum(dim=(2, 3), keepdim=True) for picture in (swapped, swapped * gains))
    lit = (swapped * gains * (before / after.clamp(min=1e-6))).clamp(0, 1)
    is_lit = (strength > 0) & (mask.amax(dim=(1, 2, 3)) >= reference.MIN_WEIGHT)
    return torch.where(is_lit.view(-1, 1, 1, 1), lit, swapped)


def _coarse(pictures: Tensor) -> Tensor:
    """Return the coarse band of (B, C, S, S) pictures, computed at a quarter of the size where that loses nothing."""
    size = pictures.shape[-1]
    step = 4 if size >= 64 else 1
    small = area(pictures, (size // step, size // step))
    return enlarged(blur(small, reference.SIGMA * size / step, "zero"), size)
