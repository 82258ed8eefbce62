"""The heart of rendering: a few frames with their faces in, the same frames with swapped faces out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from faceswap import masks
from faceswap.convert import blend
from faceswap.convert.config import ConvertConfig
from faceswap.convert.match import ColorMatcher
from faceswap.faces.align import canonical_landmarks
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face, Frame, Patch


class SwapEngine:
    """Swaps the chosen faces of frames to one identity."""

    def __init__(self, model: SwapModel, identity: str, config: ConvertConfig, times: StageTimes) -> None:
        self._model, self._identity, self._config, self._times = model, identity, config, times
        self._matcher = ColorMatcher()

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Frame]:
        """Return the frames with their faces swapped.

        Args:
            faces: for each frame the faces to swap. shots: for each frame the number of its shot.
        """
        places = [(i, face) for i, of_frame in enumerate(faces) for face in of_frame]
        result = list(frames)
        if not places:
            return result
        with self._times.measure("crop"):
            patches = [blend.cut(frames[i], face, self._model.crop) for i, face in places]
        with self._times.measure("network"):
            pixels, network_masks = self._swap(patches)
        with self._times.measure("match"):
            shaped = [self._mask(face, mask) for (_, face), mask in zip(places, network_masks, strict=True)]
            if self._config.match == "mkl":
                keys = [(shots[i], face.track) for i, face in places]
                pixels = self._matcher.match(keys, pixels, [p.pixels for p in patches], shaped)
        with self._times.measure("composite"):
            for (i, _), patch, new, mask in zip(places, patches, pixels, shaped, strict=True):
                result[i] = blend.paste(result[i], Patch(new, mask, patch.patch_from_frame))
        return result

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
