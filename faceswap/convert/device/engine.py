"""`SwapEngine` on a device: the same calls, the same picture within a few codes, in batches over frames and people.

Nothing waits for the device but the search for what covers a face (once a batch, `mask`) and whoever asks for a finished frame.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap import geometry
from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.device.clock import StageClock
from faceswap.convert.device.composite import Pasted, composite, fetch
from faceswap.convert.device.finish import Finisher, Swapped
from faceswap.convert.device.grain import DeviceNoise
from faceswap.convert.device.kernels import Kernels, kernels_for
from faceswap.convert.device.places import crop_table
from faceswap.convert.device.planes import DevicePlanes, FrameUploader, is_alike
from faceswap.convert.device.rendered import DeviceLayers, DeviceRendered
from faceswap.convert.engine import WARM_UP, FrameBatch, Rendered
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.grain_seen import GrainSeen, look
from faceswap.convert.mask import MaskMaker
from faceswap.convert.match import Looks
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.device import BatchSize
from faceswap.errors import ResourceError
from faceswap.faces.align import patch_from_frame
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.threads import read_ahead
from faceswap.types import Face, Frame, Matrix

_BATCHES_AHEAD = 1


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A face cut out of its frame, on the device."""

    position: int
    """Of its picture among those given together."""
    frame: int
    shot: int
    face: Face
    role: Role
    settings: FaceSettings
    matrix: Matrix
    """Patch from frame."""
    patch: Tensor
    """(3, S, S) float32 RGB [0, 1]"""
    grain: GrainSeen
    """Of the footage there."""
    segmentation: NDArray[np.float32] | None
    painted: NDArray[np.float32] | None

    @property
    def key(self) -> tuple[int, int]:
        """(shot, track)"""
        return self.shot, self.face.track


class _Output(NamedTuple):
    """What a network gave for a place."""

    pixels: Tensor
    mask: Tensor | None


class _Batch(NamedTuple):
    """Some frames between the network and what comes after it."""

    frames: Sequence[Frame]
    runs: list[tuple[int, DevicePlanes]]
    """Number of the first frame of each run of frames that are alike, and their planes; empty when no face is there."""
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
        self._models, self._roles, self._times, self._painted = models, roles, times, painted
        self._device, self._morph = models[0].compute.device, config.morph
        self._settings = settings or SettingsFor.everywhere(config)
        self._kernels = kernels or kernels_for(self._device)
        self._clock = StageClock(times, self._device)
        self._segmenters = MaskMaker(self._settings.all, device=str(self._device))
        self._has_memory = any(each.remembers for each in self._settings.all)
        self._looks = looks
        self._uploader = FrameUploader(self._device)
        self._downloads = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        self._recent: deque[Place] = deque()
        self._batches = [BatchSize(min(config.batch, model.batch or config.batch)) for model in models]
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
        places = [place for place in self._recent if place.shot == shot and 0 < start - place.frame <= WARM_UP]
        if places and self._has_memory:
            with _working_on(self._device):
                self._finish(places, self._swap(places))

    def forget(self) -> None:
        """Forget all frames: what comes next does not follow on them."""
        self._recent.clear()

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        """Remember the faces of frames that belong to the segment before."""
        with _working_on(self._device):
            self._cut(frames, faces, shots)

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
        with closing(read_ahead(map(self._swapped, batches), _BATCHES_AHEAD)) as ready:
            for batch in ready:
                yield self._rendered(batch)
        self._clock.collect(wait=True)

    def _swapped(self, batch: FrameBatch) -> _Batch:
        """Cut the faces of some frames and run their networks."""
        with _working_on(self._device):
            runs, places = self._cut(*batch)
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

    def _cut(
        self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]
    ) -> tuple[list[tuple[int, DevicePlanes]], list[Place]]:
        runs: list[tuple[int, DevicePlanes]] = []
        places: list[Place] = []
        if any(faces):
            for first, run in _alike(frames):
                here = slice(first, first + len(run))
                with self._clock.measure("upload"):
                    planes = self._uploader.upload(run)
                runs.append((first, planes))
                places += self._cut_run(first, run, planes, faces[here], shots[here])
        self._recent.extend(places)
        while self._recent and frames and frames[-1].index - self._recent[0].frame >= WARM_UP:
            self._recent.popleft()
        return runs, places

    def _cut_run(
        self,
        first: int,
        frames: Sequence[Frame],
        planes: DevicePlanes,
        faces: Sequence[Sequence[Face]],
        shots: Sequence[int],
    ) -> list[Place]:
        """Return the faces of frames that are alike, in the order of the frames."""
        found = [(i, face) for i, of_frame in enumerate(faces) for face in of_frame]
        if not found:
            return []
        crops = [self._models[self._roles[face.track].model].crop for _, face in found]
        matrices = [patch_from_frame(face, crop) for (_, face), crop in zip(found, crops, strict=True)]
        with self._clock.measure("crop"):
            patches: dict[int, Tensor] = {}
            for size in sorted({crop.size for crop in crops}):
                which = [n for n, crop in enumerate(crops) if crop.size == size]
                table = crop_table(
                    [matrices[n] for n in which],
                    [found[n][0] for n in which],
                    size,
                    planes.sizes(),
                    planes.layout,
                    planes.color,
                    self._device,
                )
                patches |= zip(which, self._kernels.crop(planes, table), strict=True)
        places = []
        for n, (i, face) in enumerate(found):
            frame, settings = frames[i], self._settings.face(frames[i].index, face.track)
            painted = None
            if self._painted is not None:
                patch = blend.cut(frame, face, crops[n])
                painted = self._painted.in_patch(frame.index, face, patch, crops[n], frame.size)
            places.append(
                Place(
                    first + i, frame.index, shots[i], face, self._roles[face.track], settings, matrices[n],
                    patches[n], look(frame, face), self._segmenters.segment(frame, face, crops[n], settings), painted,
                )
            )  # fmt: skip
        return places

    def _swap(self, places: Sequence[Place]) -> list[_Output]:
        """Return what the network of each place's role gives, in their order; faces of a role go through it together."""
        outputs: dict[int, _Output] = {}
        for role, members in _by_role(places).items():
            with self._clock.measure("network"):
                patches = [places[i].patch for i in members]
                found = self._batches[role.model].run(
                    patches, partial(_run_network, self._models[role.model], role.identity, self._morph)
                )
            outputs |= zip(members, found, strict=True)
        return [outputs[i] for i in range(len(places))]

    def _finish(self, places: Sequence[Place], outputs: Sequence[_Output]) -> list[tuple]:
        """Return the layer of each place and the bound of its mask, in their order."""
        results: dict[int, tuple] = {}
        for role, members in _by_role(places).items():
            here = [places[i] for i in members]
            masks = [outputs[i].mask for i in members]
            given = Swapped(
                crop=self._models[role.model].crop,
                keys=[place.key for place in here],
                frames=[place.frame for place in here],
                faces=[place.face for place in here],
                settings=[place.settings for place in here],
                matrices=[place.matrix for place in here],
                shrunk=[min(1.0, geometry.scale_of(place.matrix)) for place in here],
                originals=torch.stack([place.patch for place in here]),
                pixels=torch.stack([outputs[i].pixels for i in members]),
                network=None if masks[0] is None else torch.stack([mask for mask in masks if mask is not None]),
                grain=[place.grain for place in here],
                segmentations=[place.segmentation for place in here],
                painted=[place.painted for place in here],
            )
            results |= zip(members, self._finisher.finish(given), strict=True)
        return [results[i] for i in range(len(places))]

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


def _alike(frames: Sequence[Frame]) -> list[tuple[int, list[Frame]]]:
    """Return runs of frames of one format, each with the number of its first one."""
    runs: list[tuple[int, list[Frame]]] = []
    for i, frame in enumerate(frames):
        if runs and is_alike(runs[-1][1][0], frame):
            runs[-1][1].append(frame)
        else:
            runs.append((i, [frame]))
    return runs


def _by_role(places: Sequence[Place]) -> dict[Role, list[int]]:
    members: dict[Role, list[int]] = defaultdict(list)
    for i, place in enumerate(places):
        members[place.role].append(i)
    return members


def _run_network(model: SwapModel, identity: str, morph: float, patches: Sequence[Tensor]) -> list[_Output]:
    output = model.swap(torch.stack(list(patches)), to=identity, morph=morph)
    masks = [None] * len(patches) if output.mask is None else list(output.mask)
    return [_Output(*each) for each in zip(output.pixels, masks, strict=True)]
