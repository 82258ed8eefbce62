"""Varying training pictures, as batched tensor operations on the device.

One sample is drawn from the pack by two resamplings: the truth through a random similarity, the input through the same
similarity and an elastic warp. Both get the same change of light, so that light is carried over and not averaged away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from faceswap import geometry
from faceswap.train.config import AugmentSettings
from faceswap.train.data import FacePack

_WARP_NODES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Training pairs of one identity."""

    inputs: Tensor
    """(B, 3, S, S) float32 RGB [0, 1], warped."""
    truth: Tensor
    """(B, 3, S, S) float32 RGB [0, 1]."""
    mask: Tensor
    """(B, 1, S, S) float32 [0, 1] of the truth."""


class Sampler:
    """Draws batches; everything random comes from one generator, so that a run can be resumed exactly."""

    def __init__(self, settings: AugmentSettings, size: int, generator: torch.Generator) -> None:
        self._settings, self._size, self._generator = settings, size, generator

    def draw(self, pack: FacePack, count: int, *, warp: bool) -> Batch:
        """Return `count` random pairs of an identity.

        Args:
            warp: False = the input is the truth itself (the sharpening stage, and previews).
        """
        chosen = self._integers(len(pack.pixels), count).to(pack.pixels.device)
        return self._vary(pack, chosen, warp=warp)

    def _vary(self, pack: FacePack, chosen: Tensor, *, warp: bool) -> Batch:
        device, size = pack.pixels.device, self._size
        pixels = pack.pixels[chosen].float().div_(255)
        truth_grid = self._similarity_grid(pack, len(chosen))
        truth = _sample(pixels, truth_grid.to(device))
        gain, contrast = self._light(len(chosen))
        rgb = _relight(truth[:, :3], gain.to(device), contrast.to(device))
        if not warp or not self._settings.warp:
            return Batch(rgb, rgb, truth[:, 3:])
        # Displacements in patch sides become displacements in the pack by the size ratio of the two.
        per_patch = size / geometry.scale_of(pack.model_from_pack) / pixels.shape[-1] * 2
        warped_grid = truth_grid + self._elastic(len(chosen)) * (self._settings.warp * per_patch)
        inputs = _sample(pixels[:, :3], warped_grid.to(device))
        return Batch(_relight(inputs, gain.to(device), contrast.to(device)), rgb, truth[:, 3:])

    def _similarity_grid(self, pack: FacePack, count: int) -> Tensor:
        """(B, S, S, 2) sampling points in the pack, normalised to [-1, 1] for `grid_sample`."""
        settings, size = self._settings, self._size
        angle = self._uniform(count) * torch.pi / 180 * settings.rotation_degrees
        scale = torch.exp2(self._uniform(count) * settings.scale * 1.4427)
        flip = torch.where(self._uniform(count) * 0.5 + 0.5 < settings.flip, -1.0, 1.0)
        shift = torch.stack([self._uniform(count), self._uniform(count)], dim=1) * (settings.shift * size)
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        turn = torch.stack([cos * flip, -sin, sin * flip, cos], dim=1).view(count, 2, 2)
        centres = torch.arange(size) + 0.5 - size / 2
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        in_model = torch.stack([x, y], dim=-1).view(1, -1, 2) @ turn.transpose(1, 2) + shift[:, None] + size / 2
        pack_from_model = torch.as_tensor(geometry.invert(pack.model_from_pack), dtype=torch.float32)
        in_pack = in_model @ pack_from_model[:, :2].T + pack_from_model[:, 2]
        return (in_pack / pack.pixels.shape[-1] * 2 - 1).view(count, size, size, 2)

    def _elastic(self, count: int) -> Tensor:
        """(B, S, S, 2) smooth displacements of standard deviation about 1/2, from a coarse random grid."""
        nodes = torch.randn((count, 2, _WARP_NODES, _WARP_NODES), generator=self._generator) * 0.5
        smooth = functional.interpolate(nodes, (self._size, self._size), mode="bicubic", align_corners=True)
        return smooth.permute(0, 2, 3, 1)

    def _light(self, count: int) -> tuple[Tensor, Tensor]:
        settings = self._settings
        exposure = self._uniform(count).view(-1, 1, 1, 1) * settings.light
        tint = torch.stack([self._uniform(count) for _ in range(3)], dim=1).view(-1, 3, 1, 1) * settings.tint
        contrast = torch.exp(self._uniform(count).view(-1, 1, 1, 1) * settings.light)
        return torch.exp(exposure + tint), contrast

    def _uniform(self, count: int) -> Tensor:
        return torch.rand(count, generator=self._generator) * 2 - 1

    def _integers(self, limit: int, count: int) -> Tensor:
        return torch.randint(limit, (count,), generator=self._generator)


def still_sampler(size: int) -> Sampler:
    """Return a sampler that draws faces as they are, with a generator of its own: looking must not change the run."""
    still = AugmentSettings(rotation_degrees=0, scale=0, shift=0, warp=0, light=0, tint=0, exchange=0)
    return Sampler(still, size, torch.Generator().manual_seed(1))


def exchange_colors(batches: Sequence[Batch], probability: float, generator: torch.Generator) -> list[Batch]:
    """Return the batches with some faces recoloured to the mean and spread of a face of the next identity.

    Reinhard et al. 2001, per channel and under the masks; spreads change by at most a factor of 2.
    """
    if len(batches) < 2 or not probability:
        return list(batches)
    statistics = [_mean_and_spread(batch) for batch in batches]
    results = []
    for number, batch in enumerate(batches):
        mean, spread = statistics[number]
        other_mean, other_spread = statistics[(number + 1) % len(batches)]
        chosen = torch.rand(len(mean), generator=generator).to(mean.device).view(-1, 1, 1, 1) < probability
        partner = torch.randint(len(other_mean), (len(mean),), generator=generator).to(mean.device)
        gain = torch.where(chosen, (other_spread[partner] / spread).clamp(0.5, 2), 1.0)
        shift = torch.where(chosen, other_mean[partner] - gain * mean, 0.0)
        inputs, truth = ((picture * gain + shift).clamp(0, 1) for picture in (batch.inputs, batch.truth))
        results.append(Batch(inputs, truth, batch.mask))
    return results


def _mean_and_spread(batch: Batch) -> tuple[Tensor, Tensor]:
    """(B, 3, 1, 1) mean and standard deviation under the mask."""
    weight = batch.mask / batch.mask.sum(dim=(2, 3), keepdim=True).clamp(min=1e-3)
    mean = (batch.truth * weight).sum(dim=(2, 3), keepdim=True)
    variance = ((batch.truth - mean).square() * weight).sum(dim=(2, 3), keepdim=True)
    return mean, variance.clamp(min=1e-6).sqrt()


def _sample(pixels: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _relight(rgb: Tensor, gain: Tensor, contrast: Tensor) -> Tensor:
    """Change exposure and balance by gains on (roughly) linear light, contrast by a power around mid grey."""
    linear = rgb.clamp(min=1e-4).pow(2.2) * gain
    grey = 0.18
    return (grey * (linear / grey).pow(contrast)).clamp(1e-4, 1).pow(1 / 2.2)
