"""From decoded frames to faces on the device: upload, crop, and what the host has to look at while it has the frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.convert.device.clock import StageClock
from faceswap.convert.device.kernels import Kernels
from faceswap.convert.device.places import crop_table
from faceswap.convert.device.planes import DevicePlanes, FrameUploader, is_alike
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.grain_seen import GrainSeen, look
from faceswap.convert.mask import MaskMaker
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.faces.align import patch_from_frame
from faceswap.models.swap_model import SwapModel
from faceswap.types import CropSpec, Face, Frame, Matrix

Runs = list[tuple[int, DevicePlanes]]
"""Number of the first frame of each run of frames that are alike, and their planes; empty when no face is there."""


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


class Cutter:
    """Cuts faces out of frames on the device."""

    def __init__(
        self,
        models: Sequence[SwapModel],
        roles: Mapping[int, Role],
        settings: SettingsFor,
        painted: PaintedMasks | None,
        kernels: Kernels,
        clock: StageClock,
    ) -> None:
        """Make a cutter on the device of the models; args as for `DeviceEngine`."""
        self._models, self._roles, self._settings, self._painted = models, roles, settings, painted
        self._kernels, self._clock, self._device = kernels, clock, models[0].compute.device
        self._segmenters = MaskMaker(settings.all, device=str(self._device))
        self._uploader = FrameUploader(self._device)

    def cut(
        self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]
    ) -> tuple[Runs, list[Place]]:
        """Return the planes of frames and their faces, in the order of the frames.

        Args:
            faces: for each frame the faces to swap. shots: for each frame the number of its shot.
        """
        runs: Runs = []
        places: list[Place] = []
        if any(faces):
            for first, run in _alike(frames):
                here = slice(first, first + len(run))
                with self._clock.measure("upload"):
                    planes = self._uploader.upload(run)
                runs.append((first, planes))
                places += self._cut_run(first, run, planes, faces[here], shots[here])
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
        patches = self._patches(planes, [i for i, _ in found], matrices, crops)
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

    def _patches(
        self, planes: DevicePlanes, pictures: Sequence[int], matrices: Sequence[Matrix], crops: Sequence[CropSpec]
    ) -> dict[int, Tensor]:
        """Return the (3, S, S) patch of each face by its number; faces of one size are cut together."""
        patches: dict[int, Tensor] = {}
        with self._clock.measure("crop"):
            for size in sorted({crop.size for crop in crops}):
                which = [n for n, crop in enumerate(crops) if crop.size == size]
                table = crop_table(
                    [matrices[n] for n in which],
                    [pictures[n] for n in which],
                    size,
                    planes.sizes(),
                    planes.layout,
                    planes.color,
                    self._device,
                )
                patches |= zip(which, self._kernels.crop(planes, table), strict=True)
        return patches


def _alike(frames: Sequence[Frame]) -> list[tuple[int, list[Frame]]]:
    """Return runs of frames of one format, each with the number of its first one."""
    runs: list[tuple[int, list[Frame]]] = []
    for i, frame in enumerate(frames):
        if runs and is_alike(runs[-1][1][0], frame):
            runs[-1][1].append(frame)
        else:
            runs.append((i, [frame]))
    return runs
