"""`SwapEngine` on a device: the same calls, the same picture within a few codes, in batches over frames and people.

Nothing waits for the device but the search for what covers a face (once a batch, `mask`) and whoever asks for a finished frame.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from faceswap import geometry
from faceswap.convert.batches import FrameBatch, Recent, batch_sizes, by_role, one_ahead
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.device.clock import StageClock
from faceswap.convert.device.composite import Pasted, composite, fetch
from faceswap.convert.device.cut import Cutter, Place, Runs
from faceswap.convert.device.finish import Finisher, Swapped
from faceswap.convert.device.grain import DeviceNoise
from faceswap.convert.device.kernels import Kernels, kernels_for
from faceswap.convert.device.planes import Rect
from faceswap.convert.device.rendered import DeviceLayer, DeviceLayers, DeviceRendered
from faceswap.convert.match import Looks
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.convert.rendered import Rendered
from faceswap.errors import ResourceError
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import CropSpec, Face, Frame


class _Output(NamedTuple):
    """What a network gave for a place."""

    pixels: Tensor
    mask: Tensor | None


class _Batch(NamedTuple):
    """Some frames between the network and what comes after it."""

    frames: Sequence[Frame]
    runs: Runs
    places: list[Place]
    outputs: list[_Output]


class DeviceEngine:
    """Swaps the chosen faces of frames on a device. What it remembers, and when it forgets, is as in `SwapEngine`."""

    def __init__(
        self,
        models: Sequence[SwapModel],
        roles: Mapping[int, Role],
        config: ConvertConfig,
        times: StageTimes,
        painted: PaintedMasks | None = None,
        settings: SettingsFor | None = None,
        looks: Looks | None = None,
        *,
        kernels: Kernels | None = None,
    ) -> None:
        """Make an engine on the device of the models; args as for `SwapEngine`.

        Args:
            kernels: crop and paste; None = the quickest there are for the device.
        """
        self._models, self._times = models, times
        self._device, self._morph = models[0].compute.device, config.morph
        self._settings = settings or SettingsFor.everywhere(config)
        self._kernels = kernels or kernels_for(self._device)
        self._clock = StageClock(times, self._device)
        self._cutter = Cutter(models, roles, self._settings, painted, self._kernels, self._clock)
        self._has_memory = any(each.remembers for each in self._settings.all)
        self._looks = looks
        self._downloads = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        self._recent = Recent[Place]()
        self._batches = batch_sizes(models, config.batch)
        self._noise = DeviceNoise(self._device)
        self._finisher = self._new_finisher()

    @property
    def remarks(self) -> Sequence[str]:
        """What was done about the device's memory."""
        return [remark for batch in self._batches for remark in batch.remarks]

    @property
    def gathered(self) -> Looks:
        """As `SwapEngine.gathered`."""
        return self._finisher.gathered

    def begin_segment(self, start: int, shot: int) -> None:
        """Forget what was seen, but for the last frames before `start` of the same shot (`process`ed or `observe`d)."""
        self._finisher = self._new_finisher()
        places = self._recent.before(start, shot)
        if places and self._has_memory:
            with _working_on(self._device):
                self._finish(places, self._swap(places))

    def forget(self) -> None:
        """Forget all frames: what comes next does not follow on them."""
        self._recent.clear()

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        """Remember the faces of frames that belong to the segment before."""
        with _working_on(self._device):
            self._recent.add(self._cutter.cut(frames, faces, shots)[1], frames)

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        """Return the frames with their faces swapped, in the same order; the pictures may still be on their way.

        Args:
            faces: for each frame the faces to swap. shots: for each frame the number of its shot.
        """
        return self._rendered(self._swapped((frames, faces, shots)))

    def stream(self, batches: Iterable[FrameBatch]) -> Generator[list[Rendered], None, None]:
        """Yield what `process` returns for one batch after the other; see `SwapEngine.stream`.

        A thread launches what the next batch needs up to its network, so that the device has work while this one asks it
        what covers the faces.
        """
        for batch in one_ahead(batches, self._swapped, self._times):
            yield self._rendered(batch)
        self._clock.collect(wait=True)

    def _swapped(self, batch: FrameBatch) -> _Batch:
        """Cut the faces of some frames and run their networks."""
        with _working_on(self._device):
            runs, places = self._cutter.cut(*batch)
            self._recent.add(places, batch[0])
            return _Batch(batch[0], runs, places, self._swap(places))

    def _rendered(self, batch: _Batch) -> list[Rendered]:
        """Match, mask and paste faces that are swapped."""
        results = [Rendered(frame, frame) for frame in batch.frames]
        if batch.places:
            with _working_on(self._device):
                self._render(batch, results)
        return results

    def _render(self, batch: _Batch, results: list[Rendered]) -> None:
        layers = self._finish(batch.places, batch.outputs)
        for first, planes in batch.runs:
            here = [
                (place, layer)
                for place, layer in zip(batch.places, layers, strict=True)
                if first <= place.position < first + len(planes)
            ]
            with self._clock.measure("composite"):
                faces = [Pasted(place.position - first, layer, bound) for place, (layer, bound) in here]
                touched_rects = composite(planes, faces, self._kernels, self._noise)
                arriving = fetch(planes, touched_rects, self._downloads)
            for picture, touched in arriving.items():
                of_frame = DeviceLayers([face.layer for face in faces if face.picture == picture])
                results[first + picture] = DeviceRendered(batch.frames[first + picture], touched, of_frame)

    def _swap(self, places: Sequence[Place]) -> list[_Output]:
        """Return what the network of each place's role gives, in their order; faces of a role go through it together."""

        def swapped(role: Role, members: list[int]) -> list[_Output]:
            run = partial(_run_network, self._models[role.model], role.identity, self._morph)
            with self._clock.measure("network"):
                return self._batches[role.model].run([places[i].patch for i in members], run)

        return by_role(places, swapped)

    def _finish(self, places: Sequence[Place], outputs: Sequence[_Output]) -> list[tuple[DeviceLayer, Rect]]:
        """Return the layer of each place and the bound of its mask, in their order."""

        def finished(role: Role, members: list[int]) -> list[tuple[DeviceLayer, Rect]]:
            crop = self._models[role.model].crop
            return self._finisher.finish(_together([places[i] for i in members], [outputs[i] for i in members], crop))

        return by_role(places, finished)

    def _new_finisher(self) -> Finisher:
        return Finisher(self._settings.all, self._device, self._clock, self._looks)


@contextmanager
def _working_on(device: torch.device) -> Iterator[None]:
    """Launch what is in the block on a device.

    Raises:
        ResourceError: its memory does not hold the batch.
    """
    here = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    try:
        with torch.inference_mode(), here:
            yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"the device's memory does not hold a batch of frames and faces ({str(error).splitlines()[0]}); use a smaller "
            "--batch, or fewer --jobs"
        ) from error


def _together(places: Sequence[Place], outputs: Sequence[_Output], crop: CropSpec) -> Swapped:
    """Return places of one role, whose model wants `crop`, as a batch."""
    masks = [output.mask for output in outputs if output.mask is not None]
    return Swapped(
        crop=crop,
        keys=[place.key for place in places],
        frames=[place.frame for place in places],
        faces=[place.face for place in places],
        settings=[place.settings for place in places],
        matrices=[place.matrix for place in places],
        shrunk=[min(1.0, geometry.scale_of(place.matrix)) for place in places],
        originals=torch.stack([place.patch for place in places]),
        pixels=torch.stack([output.pixels for output in outputs]),
        network=torch.stack(masks) if masks else None,
        grain=[place.grain for place in places],
        segmentations=[place.segmentation for place in places],
        painted=[place.painted for place in places],
    )


def _run_network(model: SwapModel, identity: str, morph: float, patches: Sequence[Tensor]) -> list[_Output]:
    output = model.swap(torch.stack(list(patches)), to=identity, morph=morph)
    masks = [None] * len(patches) if output.mask is None else list(output.mask)
    return [_Output(*each) for each in zip(output.pixels, masks, strict=True)]
