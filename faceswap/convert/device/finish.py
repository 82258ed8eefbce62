"""From what the network gave to what is pasted: mask, colours, light, sharpness, grain, for a batch of one role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.convert.device.clock import StageClock
from faceswap.convert.device.definition import DeviceDefinitionMatcher
from faceswap.convert.device.light import keep_light
from faceswap.convert.device.mask import DeviceMasks, MaskBatch, faded
from faceswap.convert.device.match import DeviceColorMatcher
from faceswap.convert.device.planes import Rect, to_device
from faceswap.convert.device.rendered import DeviceLayer
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.grain import Grain, GrainMatcher
from faceswap.convert.grain_seen import GrainSeen
from faceswap.convert.match import Looks, gathered_looks, matchers_for
from faceswap.types import CropSpec, Face, Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Swapped:
    """B faces of one role, in frame order."""

    crop: CropSpec
    keys: Sequence[tuple[int, int]]
    """(shot, track)"""
    frames: Sequence[int]
    faces: Sequence[Face]
    settings: Sequence[FaceSettings]
    matrices: Sequence[Matrix]
    """Patch from frame."""
    shrunk: Sequence[float]
    """How much smaller the patch is than the frame, at most 1: shrinking averages noise away."""
    originals: Tensor
    """(B, 3, S, S) RGB [0, 1]"""
    pixels: Tensor
    """(B, 3, S, S) as the network gave them."""
    network: Tensor | None
    """(B, 1, S, S) [0, 1]"""
    grain: Sequence[GrainSeen]
    """Of the footage there."""
    segmentations: Sequence[NDArray[np.float32] | None]
    painted: Sequence[NDArray[np.float32] | None]


class Finisher:
    """Does what `SwapEngine` does after the network; what it remembers of tracks starts with each object."""

    def __init__(
        self, settings: Sequence[FaceSettings], device: torch.device, clock: StageClock, looks: Looks | None = None
    ) -> None:
        """Begin without memory.

        Args:
            settings: all that faces may have. looks: as for `SwapEngine`.
        """
        self._device, self._clock = device, clock
        self._masks, self._definition = DeviceMasks(), DeviceDefinitionMatcher()
        self._grain = GrainMatcher()
        self._matchers = matchers_for(settings, looks, partial(DeviceColorMatcher, device=device))

    @property
    def gathered(self) -> Looks:
        """As `SwapEngine.gathered`; waits for the device."""
        return gathered_looks(self._matchers)

    def finish(self, given: Swapped) -> list[tuple[DeviceLayer, Rect]]:
        """Return the layer of each face, and a rectangle of its patch outside which its mask is 0."""
        with self._clock.measure("mask"):
            masks, bounds = self._masks.make(
                MaskBatch(
                    given.crop, given.keys, given.frames, given.faces, given.settings, given.originals, given.pixels,
                    given.network, given.segmentations, given.painted,
                )
            )  # fmt: skip
        with self._clock.measure("match"):
            new = self._matched(given, masks)
            new = keep_light(new, given.originals, masks, self._numbers([each.light_taken for each in given.settings]))
            sharpness = self._numbers([each.sharpness for each in given.settings])
            noise = self._numbers([seen.fine * shrunk for seen, shrunk in zip(given.grain, given.shrunk, strict=True)])
            new = self._definition.match(given.keys, new, given.originals, masks, noise, sharpness)
            alphas = faded(masks, given.faces, given.settings, given.crop)
        grains = self._grains(given)
        return [
            (DeviceLayer(face.track, given.pixels[i], new[i], alphas[i], given.matrices[i], grains[i]), bounds[i])
            for i, face in enumerate(given.faces)
        ]

    def _grains(self, given: Swapped) -> list[Grain | None]:
        is_wanted = [each.grain != "off" for each in given.settings]
        for key, seen, wanted in zip(given.keys, given.grain, is_wanted, strict=True):
            if wanted:
                self._grain.observe(key, seen)
        found = zip(given.keys, given.frames, given.faces, is_wanted, strict=True)
        return [self._grain.grain_of(key, frame, face) if wanted else None for key, frame, face, wanted in found]

    def _matched(self, given: Swapped, masks: Tensor) -> Tensor:
        """Return the swapped pixels in the colours of the footage, as the settings of each face want it."""
        matched = given.pixels
        for (kind, over), matcher in self._matchers.items():
            wanted = [i for i, each in enumerate(given.settings) if (each.match, each.match_over) == (kind, over)]
            if len(wanted) == len(given.keys):
                return matcher.match(given.keys, matched, given.originals, masks)
            if wanted:
                rows = to_device(np.array(wanted), self._device)
                found = matcher.match(
                    [given.keys[i] for i in wanted], given.pixels[rows], given.originals[rows], masks[rows]
                )
                matched = matched.index_copy(0, rows, found)
        return matched

    def _numbers(self, values: Sequence[float]) -> Tensor:
        return to_device(np.array(values, dtype=np.float32), self._device)
