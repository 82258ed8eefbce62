"""The heart of rendering: a few frames with their faces in, the same frames with swapped faces out."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.definition import DefinitionMatcher
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.grain import Grain, GrainMatcher
from faceswap.convert.grain_seen import GrainSeen, look
from faceswap.convert.light import keep_light
from faceswap.convert.mask import MaskInput, MaskMaker, faded, rough_place
from faceswap.convert.match import ColorMatcher, Looks
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.convert.passes import Picture, swap_in_passes
from faceswap.convert.restore import FaceRestoration, Restorable
from faceswap.device import BatchSize
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.threads import read_ahead
from faceswap.types import CropSpec, Face, Frame, Patch

_BATCHES_AHEAD = 1
"""Swapped batches that may wait to be finished; bounds memory."""
FrameBatch = tuple[Sequence[Frame], Sequence[Sequence[Face]], Sequence[int]]
"""Frames, the faces to swap of each, the number of the shot of each."""
WARM_UP = 24
"""Frames before a segment from which the colour match learns: what is older counts for 13 % in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One swapped face on its way into a frame."""

    track: int
    raw: NDArray[np.float32]
    """(3, S, S) RGB [0, 1] as the network gave it; with `restore`, larger and with the detail that was drawn."""
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
    layers: Sequence[Layer] = ()


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
    restorable: Restorable | None
    """What restoring needs of the frame; None = it is not restored."""
    grain: GrainSeen
    """Of the footage there."""


class _Output(NamedTuple):
    """What a network gave for a place."""

    pixels: NDArray[np.float32]
    """(3, S, S) RGB [0, 1]"""
    mask: NDArray[np.float32] | None
    """(1, S, S) [0, 1]"""


class _Swapped(NamedTuple):
    """A batch between the network and what comes after it."""

    frames: Sequence[Frame]
    places: list[_Place]
    outputs: list[_Output]


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
        looks: Looks | None = None,
    ) -> None:
        """Make an engine.

        Args:
            roles: of each track whose faces will be given. painted: hand-painted masks of the clip.
            settings: of each face; None = those of `config` for all.
            looks: colours of whole shots, for faces whose `match_over` is "shot"; None = they are to be gathered from what will
                be processed (`gathered`).
        """
        self._models, self._roles, self._config, self._times = models, roles, config, times
        self._settings = settings or SettingsFor.everywhere(config)
        self._masks = MaskMaker(self._settings.all, painted=painted, device=str(models[0].compute.device))
        self._restoration = FaceRestoration(self._settings.all, device=str(models[0].compute.device))
        self._has_memory = any(each.remembers for each in self._settings.all)
        self._looks = looks
        self._matchers = self._new_matchers()
        self._grain, self._definition = GrainMatcher(), DefinitionMatcher()
        self._recent: deque[_Place] = deque()
        self._batches = [BatchSize(min(config.batch, model.batch or config.batch)) for model in models]

    @property
    def remarks(self) -> Sequence[str]:
        """What was done about the device's memory."""
        return [remark for batch in self._batches for remark in batch.remarks]

    def begin_segment(self, start: int, shot: int) -> None:
        """Forget what was seen, but for the last frames before `start` of the same shot (`process`ed or `observe`d)."""
        self._matchers, self._grain = self._new_matchers(), GrainMatcher()
        self._definition = DefinitionMatcher()
        self._masks.begin_segment()
        places = [place for place in self._recent if place.shot == shot and 0 < start - place.frame <= WARM_UP]
        if places and self._has_memory:
            self._match(places, self._swap(places))

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
        return self._finished(self._swapped((frames, faces, shots)))

    def stream(self, batches: Iterable[FrameBatch]) -> Generator[list[Rendered], None, None]:
        """Yield what `process` returns for one batch after the other, while a thread cuts and swaps those that come next.

        Args:
            batches: arguments of `process`; read in that thread. Nothing else may be asked of the engine until the generator
                has come to its end or is closed.
        """
        with closing(read_ahead(self._each_swapped(batches), _BATCHES_AHEAD)) as ready:
            while True:
                with self._times.measure("wait"):
                    swapped = next(ready, None)
                if swapped is None:
                    return
                yield self._finished(swapped)

    def _each_swapped(self, batches: Iterable[FrameBatch]) -> Iterator[_Swapped]:
        # The limit of threads is each thread's own: the convolutions of a new one would take all cores (`shared_cpu`).
        torch.set_num_threads(torch.get_num_threads())
        yield from map(self._swapped, batches)

    def _swapped(self, batch: FrameBatch) -> _Swapped:
        """Cut the faces of some frames and run their networks."""
        places = self._cut(*batch)
        return _Swapped(batch[0], places, self._swap(places))

    def _finished(self, given: _Swapped) -> list[Rendered]:
        """Match, mask and paste faces that are swapped."""
        if not given.places:
            return [Rendered(frame, frame) for frame in given.frames]
        layers: dict[int, list[Layer]] = defaultdict(list)
        for place, layer in zip(given.places, self._match(given.places, given.outputs), strict=True):
            layers[place.position].append(layer)
        with self._times.measure("composite"):
            return [_composite(frame, tuple(layers[i])) for i, frame in enumerate(given.frames)]

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
                restorable = self._restoration.look(frame, face, crop, settings)
                with self._times.measure("match"):
                    grain = look(frame, face)
                places.append(
                    _Place(
                        i, frame.index, shot, face, role, settings, patch, frame.size, segmentation, restorable, grain
                    )
                )
        self._recent.extend(places)
        while self._recent and frames and frames[-1].index - self._recent[0].frame >= WARM_UP:
            self._recent.popleft()
        return places

    def _swap(self, places: Sequence[_Place]) -> list[_Output]:
        """Return what the network of each place's role gives, in their order; faces of a role go through it together."""
        outputs: dict[int, _Output] = {}
        for role, members in _by_role(places).items():
            with self._times.measure("network"):
                outputs |= zip(members, self._swap_role(role, [places[i] for i in members]), strict=True)
        return [outputs[i] for i in range(len(places))]

    def _swap_role(self, role: Role, places: Sequence[_Place]) -> list[_Output]:
        model = self._models[role.model]
        run = partial(_run_network, model, role.identity, self._config.morph)

        def swap(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture | None]]:
            found = self._batches[role.model].run(pictures, run)
            return [output.pixels for output in found], [output.mask for output in found]

        passes = [place.settings.passes for place in places]
        originals = [place.patch.pixels for place in places]
        seen = [
            rough_place(place.face, model.crop) if place.settings.passes > 1 else place.patch.pixels for place in places
        ]
        return list(map(_Output, *swap_in_passes(swap, originals, seen, passes)))

    def _match(self, places: Sequence[_Place], outputs: Sequence[_Output]) -> list[Layer]:
        """Return the layer of each place, in their order."""
        layers: dict[int, Layer] = {}
        for role, members in _by_role(places).items():
            of_role = self._layers(role, [places[i] for i in members], [outputs[i] for i in members])
            layers |= zip(members, of_role, strict=True)
        return [layers[i] for i in range(len(places))]

    def _layers(self, role: Role, places: Sequence[_Place], outputs: Sequence[_Output]) -> list[Layer]:
        pixels, network_masks = [output.pixels for output in outputs], [output.mask for output in outputs]
        crop = self._models[role.model].crop
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
                keep_light(new, place.patch.pixels, mask, place.settings.light)
                for place, new, mask in zip(places, matched, shaped, strict=True)
            ]
            matched = [self._define(place, new, mask) for place, new, mask in zip(places, matched, shaped, strict=True)]
        for place in places:  # all first: the first frame of a shot alone does not tell grain from texture
            if place.settings.grain != "off":
                self._grain.observe((place.shot, place.face.track), place.grain)
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

    @property
    def gathered(self) -> Looks:
        """The mean of what was processed since the start, for tracks whose colours are those of their shot."""
        return {kind: dict(matcher.seen) for (kind, over), matcher in self._matchers.items() if over == "shot"}

    def _restored(
        self, places: Sequence[_Place], pixels: Sequence[np.ndarray], shaped: Sequence[np.ndarray], crop: CropSpec
    ) -> tuple[list[_Place], list[np.ndarray], list[np.ndarray]]:
        """Return the faces that are to be restored larger and with fine detail; all others as they are."""
        result = []
        for place, new, mask in zip(places, pixels, shaped, strict=True):
            if place.restorable is not None:
                found = self._restoration.restore(place.restorable, new, mask, crop, place.settings)
                place = replace(place, patch=place.restorable.patch)
                new, mask = found.pixels, found.mask
            result.append((place, new, mask))
        return [place for place, _, _ in result], [new for _, new, _ in result], [mask for _, _, mask in result]

    def _new_matchers(self) -> dict[tuple[str, str], ColorMatcher]:
        """Return a colour match without memory for each kind and stretch of time that is used."""
        used = {(each.match, each.match_over) for each in self._settings.all if each.match != "none"}
        return {
            (kind, over): ColorMatcher(kind, settled=(self._looks or {}).get(kind), follow=0.0)
            if over == "shot"
            else ColorMatcher(kind)
            for kind, over in sorted(used)
        }

    def _matched(
        self, places: Sequence[_Place], pixels: Sequence[np.ndarray], shaped: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return the swapped pixels in the colours of the footage, as the settings of each face want it."""
        matched = list(pixels)
        for (kind, over), matcher in self._matchers.items():
            wanted = [i for i, p in enumerate(places) if p.settings.match == kind and p.settings.match_over == over]
            keys = [(places[i].shot, places[i].face.track) for i in wanted]
            old = [places[i].patch.pixels for i in wanted]
            found = matcher.match(keys, [pixels[i] for i in wanted], old, [shaped[i] for i in wanted])
            for i, new in zip(wanted, found, strict=True):
                matched[i] = new
        return matched

    def _define(self, place: _Place, new: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the swapped patch as sharp as the footage."""
        shrunk = min(1.0, geometry.scale_of(place.patch.patch_from_frame))  # shrinking averages noise away
        return self._definition.match(
            (place.shot, place.face.track),
            new,
            place.patch.pixels,
            mask,
            noise=place.grain.fine * shrunk,
            strength=place.settings.sharpness,
        )

    def _grain_of(self, place: _Place) -> Grain | None:
        if place.settings.grain == "off":
            return None
        return self._grain.grain_of((place.shot, place.face.track), place.frame, place.face)


def _by_role(places: Sequence[_Place]) -> dict[Role, list[int]]:
    members: dict[Role, list[int]] = defaultdict(list)
    for i, place in enumerate(places):
        members[place.role].append(i)
    return members


def _run_network(model: SwapModel, identity: str, morph: float, patches: Sequence[Picture]) -> list[_Output]:
    output = model.swap(torch.from_numpy(np.stack(patches)), to=identity, morph=morph)
    pixels = output.pixels.cpu().numpy()
    masks = output.mask.cpu().numpy() if output.mask is not None else [None] * len(pixels)
    return [_Output(*each) for each in zip(pixels, masks, strict=True)]


def _composite(source: Frame, layers: tuple[Layer, ...]) -> Rendered:
    frame = source
    for layer in layers:
        frame = blend.paste(frame, layer.patch, layer.grain)
    return Rendered(source, frame, layers)
