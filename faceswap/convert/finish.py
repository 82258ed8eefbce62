"""From what the network gave to what is pasted: mask, restoration, colours, light, sharpness, grain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.convert.casting import Role
from faceswap.convert.definition import DefinitionMatcher
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.grain import Grain, GrainMatcher
from faceswap.convert.grain_seen import GrainSeen
from faceswap.convert.light import keep_light
from faceswap.convert.mask import MaskInput, MaskMaker, faded
from faceswap.convert.match import ColorMatcher, Looks, gathered_looks, matchers_for
from faceswap.convert.rendered import Layer
from faceswap.convert.restore import FaceRestoration, Restorable
from faceswap.progress import StageTimes
from faceswap.types import CropSpec, Face, Patch


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A face cut out of its frame."""

    position: int
    """Of its picture among those given together; the two fields of a frame have one frame number."""
    frame: int
    shot: int
    face: Face
    role: Role
    settings: FaceSettings
    patch: Patch
    """Cut as the role's model wants it."""
    size: tuple[int, int]
    """(h, w) px of its picture."""
    segmentation: NDArray[np.float32] | None
    """What a segmentation network says of the patch; None = there is none."""
    restorable: Restorable | None
    """What restoring needs of the frame; None = it is not restored."""
    grain: GrainSeen
    """Of the footage there."""

    @property
    def key(self) -> tuple[int, int]:
        """(shot, track)"""
        return self.shot, self.face.track


class Output(NamedTuple):
    """What a network gave for a place."""

    pixels: NDArray[np.float32]
    """(3, S, S) RGB [0, 1]"""
    mask: NDArray[np.float32] | None
    """(1, S, S) [0, 1]"""


class Finisher:
    """Makes layers of swapped faces; what it remembers of tracks starts with each object."""

    def __init__(
        self,
        settings: Sequence[FaceSettings],
        masks: MaskMaker,
        restoration: FaceRestoration,
        times: StageTimes,
        looks: Looks | None = None,
    ) -> None:
        """Begin without memory.

        Args:
            settings: all that faces may have. looks: as for `SwapEngine`.
        """
        masks.begin_segment()
        self._masks, self._restoration, self._times = masks, restoration, times
        self._grain, self._definition = GrainMatcher(), DefinitionMatcher()
        self._matchers = matchers_for(settings, looks, ColorMatcher)

    @property
    def gathered(self) -> Looks:
        """The mean of what was processed since the start, for tracks whose colours are those of their shot."""
        return gathered_looks(self._matchers)

    def finish(self, places: Sequence[Place], outputs: Sequence[Output], crop: CropSpec) -> list[Layer]:
        """Return the layer of each place, in their order.

        Args:
            places: of one role, in frame order. crop: of its model.
        """
        pixels, network_masks = [output.pixels for output in outputs], [output.mask for output in outputs]
        with self._times.measure("mask"):
            shaped = [
                self._masks.make(
                    MaskInput(p.frame, p.size, p.shot, p.face, p.settings, p.patch, raw, mask, p.segmentation), crop
                )
                for p, raw, mask in zip(places, pixels, network_masks, strict=True)
            ]
        if any(place.restorable is not None for place in places):
            with self._times.measure("restore"):
                places, pixels, shaped = self._restored(places, pixels, shaped, crop)
        with self._times.measure("match"):
            matched = self._matched(places, pixels, shaped)
            matched = [
                keep_light(new, place.patch.pixels, mask, place.settings.light_taken)
                for place, new, mask in zip(places, matched, shaped, strict=True)
            ]
            matched = [self._define(place, new, mask) for place, new, mask in zip(places, matched, shaped, strict=True)]
        for place in places:  # all first: the first frame of a shot alone does not tell grain from texture
            if place.settings.grain != "off":
                self._grain.observe(place.key, place.grain)
        return [
            Layer(
                place.face.track,
                raw,
                Patch(
                    new,
                    faded(mask, place.face, place.settings, replace(crop, size=mask.shape[-1])),
                    place.patch.patch_from_frame,
                ),
                self._grain_of(place),
            )
            for place, raw, new, mask in zip(places, pixels, matched, shaped, strict=True)
        ]

    def _restored(
        self, places: Sequence[Place], pixels: Sequence[np.ndarray], shaped: Sequence[np.ndarray], crop: CropSpec
    ) -> tuple[list[Place], list[np.ndarray], list[np.ndarray]]:
        """Return the faces that are to be restored larger and with fine detail; all others as they are."""
        result = []
        for place, new, mask in zip(places, pixels, shaped, strict=True):
            if place.restorable is not None:
                found = self._restoration.restore(place.restorable, new, mask, crop, place.settings)
                place = replace(place, patch=place.restorable.patch)
                new, mask = found.pixels, found.mask
            result.append((place, new, mask))
        return [place for place, _, _ in result], [new for _, new, _ in result], [mask for _, _, mask in result]

    def _matched(
        self, places: Sequence[Place], pixels: Sequence[np.ndarray], shaped: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return the swapped pixels in the colours of the footage, as the settings of each face want it."""
        matched = list(pixels)
        for (kind, over), matcher in self._matchers.items():
            wanted = [i for i, p in enumerate(places) if p.settings.match == kind and p.settings.match_over == over]
            keys = [places[i].key for i in wanted]
            old = [places[i].patch.pixels for i in wanted]
            found = matcher.match(keys, [pixels[i] for i in wanted], old, [shaped[i] for i in wanted])
            for i, new in zip(wanted, found, strict=True):
                matched[i] = new
        return matched

    def _define(self, place: Place, new: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the swapped patch as sharp as the footage."""
        shrunk = min(1.0, geometry.scale_of(place.patch.patch_from_frame))  # shrinking averages noise away
        return self._definition.match(
            place.key,
            new,
            place.patch.pixels,
            mask,
            noise=place.grain.fine * shrunk,
            strength=place.settings.sharpness,
        )

    def _grain_of(self, place: Place) -> Grain | None:
        if place.settings.grain == "off":
            return None
        return self._grain.grain_of(place.key, place.frame, place.face)
