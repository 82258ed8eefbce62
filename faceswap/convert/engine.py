"""The heart of rendering: a few frames with their faces in, the same frames with swapped faces out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap import masks
from faceswap.convert import blend
from faceswap.convert.config import ConvertConfig
from faceswap.convert.match import ColorMatcher
from faceswap.faces.align import canonical_landmarks
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face, Frame, Patch


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One swapped face on its way into a frame."""

    track: int
    raw: NDArray[np.float32]
    """(3, S, S) RGB [0, 1] as the network gave it."""
    patch: Patch
    """Matched to the footage, with its final mask: what is pasted."""
    parity: int | None = None
    """Interlaced: the field whose lines it covers, 0 = the even lines; None = all lines."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A frame before and after, and what was laid over it."""

    source: Frame
    frame: Frame
    """With the layers pasted; the very object `source` when there are none."""
    layers: tuple[Layer, ...] = ()


class SwapEngine:
    """Swaps the chosen faces of frames to one identity."""

    def __init__(self, model: SwapModel, identity: str, config: ConvertConfig, times: StageTimes) -> None:
        self._model, self._identity, self._config, self._times = model, identity, config, times
        self._matcher = ColorMatcher()

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        """Return the frames with their faces swapped, in the same order.

        Args:
            faces: for each frame the faces to swap. shots: for each frame the number of its shot.
        """
        places = [(i, face) for i, of_frame in enumerate(faces) for face in of_frame]
        if not places:
            return [Rendered(frame, frame) for frame in frames]
        with self._times.measure("crop"):
            patches = [blend.cut(frames[i], face, self._model.crop) for i, face in places]
        with self._times.measure("network"):
            pixels, network_masks = self._swap(patches)
        with self._times.measure("match"):
            shaped = [self._mask(face, mask) for (_, face), mask in zip(places, network_masks, strict=True)]
            matched = pixels
            if self._config.match == "mkl":
                keys = [(shots[i], face.track) for i, face in places]
                matched = self._matcher.match(keys, pixels, [p.pixels for p in patches], shaped)
        layers: list[list[Layer]] = [[] for _ in frames]
        for (i, face), patch, raw, new, mask in zip(places, patches, pixels, matched, shaped, strict=True):
            layers[i].append(Layer(face.track, raw, Patch(new, mask, patch.patch_from_frame)))
        with self._times.measure("composite"):
            return [_composite(frame, tuple(of_frame)) for frame, of_frame in zip(frames, layers, strict=True)]

    def _swap(self, patches: Sequence[Patch]) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        pixels: list[np.ndarray] = []
        network_masks: list[np.ndarray | None] = []
        for start in range(0, len(patches), self._config.batch):
            batch = np.stack([patch.pixels for patch in patches[start : start + self._config.batch]])
            output = self._model.swap(torch.from_numpy(batch), to=self._identity)
            pixels += list(output.pixels.cpu().numpy())
            network_masks += list(output.mask.cpu().numpy()) if output.mask is not None else [None] * len(batch)
        return pixels, network_masks

    def _mask(self, face: Face, network_mask: np.ndarray | None) -> np.ndarray:
        """Return network mask x hull, shaped: what of the patch will be seen."""
        hull = masks.face_hull(canonical_landmarks(face), self._model.crop)
        mask = hull if network_mask is None else hull * network_mask
        size = self._model.crop.size
        return masks.shape_edge(mask, erode=self._config.erode * size, feather=self._config.feather * size)


def _composite(source: Frame, layers: tuple[Layer, ...]) -> Rendered:
    frame = source
    for layer in layers:
        frame = blend.paste(frame, layer.patch)
    return Rendered(source, frame, layers)
