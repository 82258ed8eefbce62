"""Varying training pictures, as batched tensor operations on the device.

One sample is drawn from the pack by one resampling: the truth through a random similarity, the input through the same
similarity and an elastic warp. Both get the same change of light, so that light is carried over and not averaged away. What
spoils a picture (blur, compression, things before the face) happens to the input alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from faceswap import geometry
from faceswap.train.config import AugmentSettings
from faceswap.train.data import FacePack
from faceswap.train.degrade import blurred, compressed, obstacle
from faceswap.train.distributed import ALONE, Team
from faceswap.train.draws import Draws, uniform

_NODES = 5
_MOST_BLUR = 0.012
"""Sides of the patch."""
_MOST_STEP = 0.06
# Places of a sample's random numbers.
_FACE, _ANGLE, _SCALE, _FLIP, _SHIFT, _EXPOSURE, _TINT, _CONTRAST = 0, 1, 2, 3, 4, 6, 7, 10
_BLUR, _COMPRESS, _OBSTACLE, _WARP = 11, 14, 16, 30


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Training pairs of one identity."""

    inputs: Tensor
    """(B, 3, S, S) float32 RGB [0, 1], warped."""
    truth: Tensor
    """(B, 3, S, S) float32 RGB [0, 1]."""
    mask: Tensor
    """(B, 1, S, S) float32 [0, 1] of the truth: what is seen of the face, without things before it."""
    face: Tensor | None = None
    """The same with what is hidden, where the truth still counts; None = nothing is hidden."""
    regions: Tensor | None = None
    """(B, R, S, S) float32 [0, 1]: the pack's regions."""

    @property
    def outline(self) -> Tensor:
        """(B, 1, S, S) the whole face."""
        return self.mask if self.face is None else self.face


class Sampler:
    """Draws batches; everything random comes from one generator, so that a run can be resumed exactly.

    Args:
        team: each process draws all the numbers and makes its own rows of the batch.
    """

    def __init__(
        self,
        settings: AugmentSettings,
        size: int,
        generator: torch.Generator,
        device: torch.device | None = None,
        team: Team = ALONE,
    ) -> None:
        self._settings, self._size, self._generator, self._team = settings, size, generator, team
        self._device = device or torch.device("cpu")

    def draw(self, pack: FacePack, count: int, *, warp: bool) -> Batch:
        """Return `count` random pairs of an identity; of several processes' batch, this one's rows.

        Args:
            warp: False = the input is not warped (the sharpening stage, and previews).
        """
        host = Draws.make(count, self._generator).part(self._team.own(count))
        draws = host.on(self._device)
        pixels = pack.take(pack.choose(host.unit(_FACE)), self._device).float().div_(255)
        return self.vary(pack, pixels, draws, warp=warp)

    def as_they_are(self, pack: FacePack) -> Batch:
        """Return all faces of a (small) pack, in order; without random numbers for a sampler that varies nothing."""
        draws = Draws.make(len(pack), torch.Generator().manual_seed(0)).on(self._device)
        pixels = pack.take(torch.arange(len(pack)), self._device).float().div_(255)
        return self.vary(pack, pixels, draws, warp=False)

    def vary(self, pack: FacePack, pixels: Tensor, draws: Draws, *, warp: bool) -> Batch:
        """Return the pairs of given faces, (B, 4 + R, P, P) [0, 1], varied by given numbers."""
        settings, size = self._settings, self._size
        grid = self._similarity_grid(pack, draws)
        has_warp = warp and settings.warp > 0
        shift = self._elastic(draws) * settings.warp if has_warp else None
        if shift is None:
            varied = _sample(pixels, grid)
        else:
            # Displacements in patch sides become displacements in the pack by the size ratio of the two.
            per_patch = size / geometry.scale_of(pack.model_from_pack) / pixels.shape[-1] * 2
            # Truth and input in one pass, one above the other.
            varied = _sample(pixels, torch.cat([grid, grid + shift * per_patch], dim=1))
        rgb = self._relight(varied[:, :3], draws)
        truth, mask, regions = rgb[:, :, :size], varied[:, 3:4, :size], varied[:, 4:, :size]
        inputs = truth if shift is None else rgb[:, :, size:]
        batch = Batch(inputs, truth, mask, regions=regions if pack.regions else None)
        return self._spoilt(batch, draws, shift)

    def _similarity_grid(self, pack: FacePack, draws: Draws) -> Tensor:
        """(B, S, S, 2) sampling points in the pack, normalised to [-1, 1] for `grid_sample`."""
        settings, size, device = self._settings, self._size, self._device
        angle = draws.signed(_ANGLE)[:, 0] * torch.pi / 180 * settings.rotation_degrees
        scale = torch.exp2(draws.signed(_SCALE)[:, 0] * settings.scale * 1.4427)
        flip = torch.where(draws.unit(_FLIP) < settings.flip, -1.0, 1.0)
        shift = draws.signed(_SHIFT, 2) * (settings.shift * size)
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        turn = torch.stack([cos * flip, -sin, sin * flip, cos], dim=1).view(-1, 2, 2)
        pack_from_model = torch.as_tensor(geometry.invert(pack.model_from_pack), dtype=torch.float32, device=device)
        # Both linear maps at once, and then one product with the pixels' places.
        linear = pack_from_model[:, :2] @ turn
        offset = (shift + size / 2) @ pack_from_model[:, :2].T + pack_from_model[:, 2]
        side = pack.pixels.shape[-1] / 2
        centres = _centres(size, device) - size / 2
        in_pack = centres.view(1, -1, 2) @ (linear / side).transpose(1, 2) + (offset / side - 1)[:, None]
        return in_pack.view(-1, size, size, 2)

    def _elastic(self, draws: Draws) -> Tensor:
        """(B, S, S, 2) smooth displacements of standard deviation about 1/2, from a coarse random grid."""
        nodes = draws.signed(_WARP, 2 * _NODES**2).reshape(-1, 2, _NODES, _NODES) * 0.87
        smooth = functional.interpolate(nodes, (self._size, self._size), mode="bicubic", align_corners=True)
        return smooth.permute(0, 2, 3, 1)

    def _relight(self, rgb: Tensor, draws: Draws) -> Tensor:
        """Change exposure and balance by gains on (roughly) linear light, contrast by a power around mid grey.

        g (x^2.2 k / g)^c, as one power of x: the rest is a factor for each sample and channel.
        """
        settings = self._settings
        if not settings.light and not settings.tint:
            return rgb
        exposure = draws.signed(_EXPOSURE) * settings.light + draws.signed(_TINT, 3) * settings.tint
        contrast = torch.exp(draws.signed(_CONTRAST) * settings.light)
        grey = 0.18
        factor = (grey ** (1 - contrast) * torch.exp(exposure * contrast)).pow(1 / 2.2)
        varied = rgb.clamp(min=1e-2).pow(contrast.view(-1, 1, 1, 1)) * factor.view(-1, 3, 1, 1)
        return varied.clamp(1e-2, 1)

    def _spoilt(self, batch: Batch, draws: Draws, shift: Tensor | None) -> Batch:
        settings, size = self._settings, self._size
        inputs = batch.inputs
        if settings.obstacles:
            points = _centres(size, self._device)[None] / size
            numbers = torch.stack([draws.unit(_OBSTACLE + 1 + i) for i in range(6)], dim=1)
            there = draws.happens(_OBSTACLE, settings.obstacles)
            # The thing is bent as the input is: its place in the truth's mask is where the truth would show it.
            seen = obstacle(numbers, points if shift is None else points + shift) * there
            hidden = seen if shift is None else obstacle(numbers, points) * there
            color = torch.stack([draws.unit(_OBSTACLE + 7 + i) for i in range(3)], dim=1).view(-1, 3, 1, 1)
            texture = inputs.roll(1, 0).flip(2)
            inputs = torch.lerp(inputs, torch.lerp(texture, color, draws.unit(_OBSTACLE + 10).view(-1, 1, 1, 1)), seen)
            batch = replace(batch, mask=batch.mask * (1 - hidden), face=batch.mask)
        if settings.blur:
            sigma = torch.stack([draws.unit(_BLUR + 1), draws.unit(_BLUR + 2)], dim=1) * (_MOST_BLUR * size)
            inputs = blurred(inputs, sigma * draws.happens(_BLUR, settings.blur).view(-1, 1))
        if settings.compression:
            there = draws.happens(_COMPRESS, settings.compression)
            inputs = torch.where(there, compressed(inputs, draws.unit(_COMPRESS + 1) * _MOST_STEP), inputs)
        return replace(batch, inputs=inputs)


def still_sampler(size: int, device: torch.device | None = None) -> Sampler:
    """Return a sampler that draws faces as they are, with a generator of its own: looking must not change the run."""
    still = AugmentSettings(rotation_degrees=0, scale=0, shift=0, warp=0, light=0, tint=0, exchange=0)
    return Sampler(still, size, torch.Generator().manual_seed(1), device)


def exchange_colors(
    batches: Sequence[Batch], probability: float, generator: torch.Generator, team: Team = ALONE
) -> list[Batch]:
    """Return the batches with some faces recoloured to the mean and spread of a face of the next identity.

    Reinhard et al. 2001, per channel and under the masks; spreads change by at most a factor of 2. The other face may be
    with another process of the team.
    """
    if len(batches) < 2 or not probability:
        return list(batches)
    own = torch.stack([_mean_and_spread(batch) for batch in batches], dim=1)
    count = len(own) * team.size
    everywhere, rows = team.gathered(own), team.own(count)
    results = []
    for number, batch in enumerate(batches):
        mean, spread = own[:, number].unbind(1)
        other_mean, other_spread = everywhere[:, (number + 1) % len(batches)].unbind(1)
        numbers = uniform((2, count), generator, mean.device)[:, rows]
        chosen = (numbers[0] < probability).view(-1, 1, 1, 1)
        partner = (numbers[1] * count).long().clamp(max=count - 1)
        gain = torch.where(chosen, (other_spread[partner] / spread).clamp(0.5, 2), 1.0)
        shift = torch.where(chosen, other_mean[partner] - gain * mean, 0.0)
        inputs, truth = ((picture * gain + shift).clamp(0, 1) for picture in (batch.inputs, batch.truth))
        results.append(replace(batch, inputs=inputs, truth=truth))
    return results


def _mean_and_spread(batch: Batch) -> Tensor:
    """(B, 2, 3, 1, 1) mean and standard deviation under the mask."""
    weight = batch.outline / batch.outline.sum(dim=(2, 3), keepdim=True).clamp(min=1e-3)
    mean = (batch.truth * weight).sum(dim=(2, 3), keepdim=True)
    variance = ((batch.truth - mean).square() * weight).sum(dim=(2, 3), keepdim=True)
    return torch.stack([mean, variance.clamp(min=1e-6).sqrt()], dim=1)


def _centres(size: int, device: torch.device) -> Tensor:
    """(S, S, 2) centres of the pixels, px."""
    line = torch.arange(size, device=device) + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


def _sample(pixels: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
