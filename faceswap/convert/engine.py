"""The heart of rendering: a few frames with their faces in, the same frames with swapped faces out."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.definition import DefinitionMatcher
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.grain import Grain, GrainMatcher, measure
from faceswap.convert.light import keep_light
from faceswap.convert.mask import MaskInput, MaskMaker
from faceswap.convert.match import ColorMatcher
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face, Frame, Patch

WARM_UP = 24
"""Frames before a segment from which the colour match learns: what is older counts for 13 % in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One swapped face on its way into a frame."""

    track: int
    raw: NDArray[np.float32]
    """(3, S, S) RGB [0, 1] as the network gave it."""
    patch: Patch
    """Matched to the footage, with its final mask: what is pasted."""
    grain: Grain | None = None
    """Noise of the footage's kind, laid over it; None = the footage has none that is seen."""
    parity: int | None = None
    """Interlaced: the field whose lines it covers, 0 = the even lines; None = all lines."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A frame before and after, and what was laid over it."""

    source: Frame
    frame: Frame
    """With the layers pasted; the very object `source` when there are none."""
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
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
    noise: tuple[float, float]
    """Of the footage there (`grain.measure`)."""


class SwapEngine:
    """Swaps the chosen faces of frames, each to the identity that its track is cast for.

    Colours are matched to what was seen of a track shortly before. So that a segment comes out the same whether it follows
    on another one, is rendered after a restart or in another process, that memory starts afresh at each segment, from the
    `WARM_UP` frames before it and nothing else.
    """

    def __init__(
        self,
        models: Sequence[SwapModel],
        roles: Mapping[int, Role],
        config: ConvertConfig,
        times: StageTimes,
        painted: PaintedMasks | None = None,
        settings: SettingsFor | None = None,
    ) -> None:
        """Make an engine.

        Args:
            roles: of each track whose faces will be given. painted: hand-painted masks of the clip.
            settings: of each face; None = those of `config` for all.
        """
        self._models, self._roles, self._config, self._times = models, roles, config, times
        self._settings = settings or SettingsFor.everywhere(config)
        self._masks = MaskMaker(self._settings.all, painted=painted, device=str(models[0].compute.device))
        self._has_memory = any(each.remembers for each in self._settings.all)
        self._matchers = self._new_matchers()
        self._grain, self._definition = GrainMatcher(), DefinitionMatcher()
        self._recent: deque[_Place] = deque()

    def begin_segment(self, start: int, shot: int) -> None:
        """Forget what was seen, but for the last frames before `start` of the same shot (`process`ed or `observe`d)."""
        self._matchers, self._grain = self._new_matchers(), GrainMatcher()
        self._definition = DefinitionMatcher()
        self._masks.begin_segment()
        places = [place for place in self._recent if place.shot == shot and 0 < start - place.frame <= WARM_UP]
        if places and self._has_memory:
            self._swap_and_match(places)

    def forget(self) -> None:
        """Forget all frames: what comes next does not follow on them."""
        self._recent.clear()

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        """Remember the faces of frames that belong to the segment before."""
        self._cut(frames, faces, shots)

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        """Return the frames with their faces swapped, in the same order.

        Args:
            faces: for each frame the faces to swap. shots: for each frame the number of its shot.
        """
        places = self._cut(frames, faces, shots)
        if not places:
            return [Rendered(frame, frame) for frame in frames]
        layers: dict[int, list[Layer]] = defaultdict(list)
        for place, layer in zip(places, self._swap_and_match(places), strict=True):
            layers[place.position].append(layer)
        with self._times.measure("composite"):
            return [_composite(frame, tuple(layers[i])) for i, frame in enumerate(frames)]

    def _cut(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[_Place]:
        places = []
        for i, (frame, of_frame, shot) in enumerate(zip(frames, faces, shots, strict=True)):
            for face in of_frame:
                role, settings = self._roles[face.track], self._settings.face(frame.index, face.track)
                crop = self._models[role.model].crop
                with self._times.measure("crop"):
                    patch = blend.cut(frame, face, crop)
                with self._times.measure("mask"):
                    segmentation = self._masks.segment(frame, face, crop, settings)
                with self._times.measure("match"):
                    noise = measure(frame, face)
                places.append(
                    _Place(i, frame.index, shot, face, role, settings, patch, frame.size, segmentation, noise)
                )
        self._recent.extend(places)
        while self._recent and frames and frames[-1].index - self._recent[0].frame >= WARM_UP:
            self._recent.popleft()
        return places

    def _swap_and_match(self, places: Sequence[_Place]) -> list[Layer]:
        """Return the layer of each place, in their order; each role's faces go through its network together."""
        layers: dict[int, Layer] = {}
        by_role: dict[Role, list[int]] = defaultdict(list)
        for i, place in enumerate(places):
            by_role[place.role].append(i)
        for role, members in by_role.items():
            layers |= zip(members, self._layers(role, [places[i] for i in members]), strict=True)
        return [layers[i] for i in range(len(places))]

    def _layers(self, role: Role, places: Sequence[_Place]) -> list[Layer]:
        with self._times.measure("network"):
            pixels, network_masks = self._swap(role, [place.patch for place in places])
        with self._times.measure("mask"):
            crop = self._models[role.model].crop
            shaped = [
                self._masks.make(
                    MaskInput(p.frame, p.size, p.shot, p.face, p.settings, p.patch, raw, mask, p.segmentation), crop
                )
                for p, raw, mask in zip(places, pixels, network_masks, strict=True)
            ]
        with self._times.measure("match"):
            matched = self._matched(places, pixels, shaped)
            matched = [
                keep_light(new, place.patch.pixels, mask, place.settings.light)
                for place, new, mask in zip(places, matched, shaped, strict=True)
            ]
            matched = [self._define(place, new, mask) for place, new, mask in zip(places, matched, shaped, strict=True)]
        return [
            Layer(place.face.track, raw, Patch(new, mask, place.patch.patch_from_frame), self._grain_of(place))
            for place, raw, new, mask in zip(places, pixels, matched, shaped, strict=True)
        ]

    def _new_matchers(self) -> dict[str, ColorMatcher]:
        """Return a colour match without memory for each kind that is used."""
        return {kind: ColorMatcher(kind) for kind in {each.match for each in self._settings.all} - {"none"}}

    def _matched(
        self, places: Sequence[_Place], pixels: Sequence[np.ndarray], shaped: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return the swapped pixels in the colours of the footage, as the settings of each face want it."""
        matched = list(pixels)
        for kind, matcher in self._matchers.items():
            wanted = [i for i, place in enumerate(places) if place.settings.match == kind]
            keys = [(places[i].shot, places[i].face.track) for i in wanted]
            old = [places[i].patch.pixels for i in wanted]
            found = matcher.match(keys, [pixels[i] for i in wanted], old, [shaped[i] for i in wanted])
            for i, new in zip(wanted, found, strict=True):
                matched[i] = new
        return matched

    def _define(self, place: _Place, new: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the swapped patch as sharp as the footage."""
        noise = place.noise[0] if np.isfinite(place.noise[0]) else 0.0
        shrunk = min(1.0, geometry.scale_of(place.patch.patch_from_frame))  # shrinking averages noise away
        return self._definition.match(
            (place.shot, place.face.track),
            new,
            place.patch.pixels,
            mask,
            noise=noise * shrunk,
            strength=place.settings.sharpness,
        )

    def _grain_of(self, place: _Place) -> Grain | None:
        if place.settings.grain == "off":
            return None
        key = (place.shot, place.face.track)
        self._grain.observe(key, place.noise)
        return self._grain.grain_of(key, place.frame, place.face)

    def _swap(self, role: Role, patches: Sequence[Patch]) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        pixels: list[np.ndarray] = []
        network_masks: list[np.ndarray | None] = []
        for start in range(0, len(patches), self._config.batch):
            batch = np.stack([patch.pixels for patch in patches[start : start + self._config.batch]])
            output = self._models[role.model].swap(torch.from_numpy(batch), to=role.identity, morph=self._config.morph)
            pixels += list(output.pixels.cpu().numpy())
            network_masks += list(output.mask.cpu().numpy()) if output.mask is not None else [None] * len(batch)
        return pixels, network_masks


def _composite(source: Frame, layers: tuple[Layer, ...]) -> Rendered:
    frame = source
    for layer in layers:
        frame = blend.paste(frame, layer.patch, layer.grain)
    return Rendered(source, frame, layers)
