"""The heart of rendering: a few frames with their faces in, the same frames with swapped faces out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from faceswap.convert import blend
from faceswap.convert.batches import FrameBatch, Recent, batch_sizes, by_role, one_ahead
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.finish import Finisher, Output, Place
from faceswap.convert.grain_seen import look
from faceswap.convert.mask import MaskMaker, rough_place
from faceswap.convert.match import Looks
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.convert.passes import Picture, swap_in_passes
from faceswap.convert.rendered import Layer, Rendered
from faceswap.convert.restore import FaceRestoration
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face, Frame


class _Swapped(NamedTuple):
    """A batch between the network and what comes after it."""

    frames: Sequence[Frame]
    places: list[Place]
    outputs: list[Output]


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
        self._recent = Recent[Place]()
        self._batches = batch_sizes(models, config.batch)
        self._finisher = self._new_finisher()

    @property
    def remarks(self) -> Sequence[str]:
        """What was done about the device's memory."""
        return [remark for batch in self._batches for remark in batch.remarks]

    @property
    def gathered(self) -> Looks:
        """The mean of what was processed since the start, for tracks whose colours are those of their shot."""
        return self._finisher.gathered

    def begin_segment(self, start: int, shot: int) -> None:
        """Forget what was seen, but for the last frames before `start` of the same shot (`process`ed or `observe`d)."""
        self._finisher = self._new_finisher()
        places = self._recent.before(start, shot)
        if places and self._has_memory:
            self._layers(places, self._swap(places))

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
        for swapped in one_ahead(batches, self._swapped, self._times):
            yield self._finished(swapped)

    def _swapped(self, batch: FrameBatch) -> _Swapped:
        """Cut the faces of some frames and run their networks."""
        places = self._cut(*batch)
        return _Swapped(batch[0], places, self._swap(places))

    def _finished(self, given: _Swapped) -> list[Rendered]:
        """Match, mask and paste faces that are swapped."""
        if not given.places:
            return [Rendered(frame, frame) for frame in given.frames]
        layers: dict[int, list[Layer]] = defaultdict(list)
        for place, layer in zip(given.places, self._layers(given.places, given.outputs), strict=True):
            layers[place.position].append(layer)
        with self._times.measure("composite"):
            return [_composite(frame, tuple(layers[i])) for i, frame in enumerate(given.frames)]

    def _cut(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Place]:
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
                    Place(
                        i, frame.index, shot, face, role, settings, patch, frame.size, segmentation, restorable, grain
                    )
                )
        self._recent.add(places, frames)
        return places

    def _swap(self, places: Sequence[Place]) -> list[Output]:
        """Return what the network of each place's role gives, in their order; faces of a role go through it together."""

        def swapped(role: Role, members: list[int]) -> list[Output]:
            with self._times.measure("network"):
                return self._swap_role(role, [places[i] for i in members])

        return by_role(places, swapped)

    def _swap_role(self, role: Role, places: Sequence[Place]) -> list[Output]:
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
        return list(map(Output, *swap_in_passes(swap, originals, seen, passes)))

    def _layers(self, places: Sequence[Place], outputs: Sequence[Output]) -> list[Layer]:
        """Return the layer of each place, in their order."""

        def finished(role: Role, members: list[int]) -> list[Layer]:
            crop = self._models[role.model].crop
            return self._finisher.finish([places[i] for i in members], [outputs[i] for i in members], crop)

        return by_role(places, finished)

    def _new_finisher(self) -> Finisher:
        return Finisher(self._settings.all, self._masks, self._restoration, self._times, self._looks)


def _run_network(model: SwapModel, identity: str, morph: float, patches: Sequence[Picture]) -> list[Output]:
    output = model.swap(torch.from_numpy(np.stack(patches)), to=identity, morph=morph)
    pixels = output.pixels.cpu().numpy()
    masks = output.mask.cpu().numpy() if output.mask is not None else [None] * len(pixels)
    return [Output(*each) for each in zip(pixels, masks, strict=True)]


def _composite(source: Frame, layers: tuple[Layer, ...]) -> Rendered:
    frame = source
    for layer in layers:
        frame = blend.paste(frame, layer.patch, layer.grain)
    return Rendered(source, frame, layers)
