"""`convert.definition` for a batch of faces on a device; its constants are those of the function it stands for."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from faceswap.convert import definition as reference
from faceswap.convert.device.filters import blur
from faceswap.figures.detail import BAND_SIGMAS


class DeviceDefinitionMatcher:
    """Keeps the sharpness of each track and of its swapped face on the device: `definition.DefinitionMatcher`."""

    def __init__(self) -> None:
        self._state: dict[Hashable, tuple[Tensor, Tensor]] = {}
        """(9,) energies and () the sharpest lately, float64; zeros before anything is known."""

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
        is_valid = (strength > 0) & (weight.sum(dim=(1, 2)) >= reference._MIN_AREA)
        seen = _energies(swapped.mean(dim=1, keepdim=True), original.mean(dim=1, keepdim=True), weight)
        shares = torch.tensor([reference._NOISE_IN_BAND, reference._NOISE_IN_COARSE], device=seen.device)
        clean = (seen[:, 7:] - shares * noise.double().square()[:, None]).clamp(min=1e-9)
        state, sharpest = self._follow(keys, torch.cat([seen[:, :7], clean], dim=1), is_valid)
        lower = _coarse_gain(state, sharpest)
        finest = _gain(state, lower)
        more, less = ((strength * (gain - 1)).float().view(-1, 1, 1, 1) for gain in (finest, lower))
        soft, softer = (blur(swapped, sigma) for sigma in reference._SIGMAS)
        changed = (swapped + more * (swapped - soft) + less * (soft - softer)).clamp(0, 1)
        return torch.where(is_valid.view(-1, 1, 1, 1), changed, swapped)

    def _follow(self, keys: Sequence[Hashable], seen: Tensor, is_valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, 9) energies and (B,) sharpest of each place after its frame; one by one, as the pace depends on them."""
        states, sharpests = [], []
        for key, now, counts in zip(keys, seen, is_valid, strict=True):
            before, sharpest = self._state.get(key, (torch.zeros_like(now), torch.zeros_like(now[8])))
            is_new = before[8] <= 0
            change = (now[7] / before[7].clamp(min=1e-9)).log().abs()
            share = torch.where(is_new, 1.0, _between(change, reference._SUDDEN, (reference._FOLLOW, reference._HURRY)))
            after = before + share * (now - before)
            held = torch.maximum(after[8], reference._FORGET * sharpest)
            after, held = torch.where(counts, after, before), torch.where(counts, held, sharpest)
            self._state[key] = after, held
            states.append(after)
            sharpests.append(held)
        return torch.stack(states), torch.stack(sharpests)


def _between(value: Tensor, xs: tuple[float, float], ys: tuple[float, float]) -> Tensor:
    """Return what lies at `value` on the line from (x, y) to (x, y), level beyond."""
    return ys[0] + (ys[1] - ys[0]) * ((value - xs[0]) / (xs[1] - xs[0])).clamp(0, 1)


def _bands(planes: Tensor) -> tuple[Tensor, Tensor]:
    soft, softer = (blur(planes, sigma) for sigma in reference._SIGMAS)
    return planes - soft, soft - softer


def _band(planes: Tensor) -> Tensor:
    """Return the band of (B, 1, S, S) planes that `figures.detail.band` gives."""
    fine, coarse = (blur(planes, sigma) for sigma in BAND_SIGMAS)
    return fine - coarse


def _energies(swapped: Tensor, original: Tensor, weight: Tensor) -> Tensor:
    """Return (B, 9) mean products under (B, S, S) weights: `definition._energies`."""
    fine, lower = _bands(swapped)
    _, wanted_lower = _bands(original)
    s, f, c, wanted = _band(torch.cat([swapped, fine, lower, original], dim=1)).split(1, dim=1)
    products = torch.cat(reference.energy_products(s, f, c, lower, wanted, wanted_lower), dim=1)
    return (products * weight[:, None]).sum(dim=(2, 3)) / weight.sum(dim=(1, 2)).clamp(min=1)[:, None]


def _coarse_gain(state: Tensor, sharpest: Tensor) -> Tensor:
    """Return the (B,) factors of the lower band, at most 1."""
    own, wanted = state[:, 6], state[:, 8]
    start, sure = reference._BLURRED
    blurred = (wanted / sharpest.clamp(min=1e-12)).sqrt()
    room = _between(blurred, (sure, start), (1.0, reference._OWN_FEATURES))
    return (room * wanted / own.clamp(min=1e-12)).sqrt().clamp(reference._MIN_COARSE_GAIN, 1.0)


def _gain(state: Tensor, lower: Tensor) -> Tensor:
    """Return the (B,) factors of the finest band that give the swapped faces the originals' energy."""
    ss, sf, ff, sc, fc, cc, _, wanted, _ = state.unbind(dim=1)
    less = lower - 1
    own, product = ss + 2 * less * sc + less.square() * cc, sf + less * fc
    half = product / ff.clamp(min=1e-12)
    inner = half.square() - (own - wanted) / ff.clamp(min=1e-12)
    return (1 - half + inner.clamp(min=0).sqrt()).clamp(reference._MIN_GAIN, reference._MAX_GAIN)
