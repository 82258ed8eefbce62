"""`convert.mask` for a batch of faces on a device.

What covers a face (`masks.occlusion`) is still looked for on the host, in pictures of 64 px: they are fetched once a batch, and
the small answers go back. Painted masks, kept regions and segmentations are made on the host too, where they are used.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.convert.device.edges import DeviceSteadyMasks, guided_filter, shape_edge, with_clean_support
from faceswap.convert.device.filters import area, enlarged
from faceswap.convert.device.planes import Download, Rect, to_device
from faceswap.convert.device.shapes import Shapes, rect_of
from faceswap.convert.face_settings import FaceSettings
from faceswap.faces.align import canonical_landmarks
from faceswap.masks.occlusion import SIDE, OcclusionModel
from faceswap.masks.opacity import opacity_map
from faceswap.masks.regions import region_mask
from faceswap.types import CropSpec, Face


@dataclass(frozen=True, slots=True, eq=False)
class MaskBatch:
    """What the masks of B faces of one crop are made of."""

    crop: CropSpec
    keys: Sequence[tuple[int, int]]
    """(shot, track) of each face, in frame order."""
    frames: Sequence[int]
    faces: Sequence[Face]
    settings: Sequence[FaceSettings]
    originals: Tensor
    """(B, 3, S, S) RGB [0, 1]"""
    swapped: Tensor
    """(B, 3, S, S) as the network gave them."""
    network: Tensor | None
    """(B, 1, S, S) [0, 1]; None = the network predicts no mask."""
    segmentations: Sequence[NDArray[np.float32] | None]
    """(1, S, S) each"""
    painted: Sequence[NDArray[np.float32] | None]
    """(1, S, S) each"""


class DeviceMasks:
    """Makes masks on the device; what it remembers of tracks starts afresh with each object."""

    def __init__(self) -> None:
        self._occlusion, self._steady = OcclusionModel(), DeviceSteadyMasks()
        self._bounds: dict[Hashable, Rect] = {}

    def make(self, given: MaskBatch) -> tuple[Tensor, list[Rect]]:
        """Return the final (B, 1, S, S) masks, and for each a rectangle outside which it is 0, known without a look at it."""
        device = given.originals.device
        shapes = Shapes(given.faces, given.crop, device)
        mask = shapes.hulls()
        if given.network is not None:
            mask = mask * torch.maximum(given.network, shapes.cores())
        mask = _times(mask, given.segmentations)
        shaped = self._shaped(given, mask)
        possible = torch.maximum(mask, shaped)
        hidden = [
            i for i, settings in enumerate(given.settings) if settings.occlusion == "auto" and not _is_painted(given, i)
        ]
        result = shaped * self._visible(given, possible, hidden) if hidden else shaped
        result, bounds = self._with_painted(given, result, self._reached(given.keys, shapes.bounds()))
        kept = [
            1 - region_mask(canonical_landmarks(face), given.crop, each.keep, face.scheme) if each.keep else None
            for face, each in zip(given.faces, given.settings, strict=True)
        ]
        return with_clean_support(_times(result, kept)), bounds

    def _shaped(self, given: MaskBatch, masks: Tensor) -> Tensor:
        """Return the masks with their soft edges, steadied."""
        side = given.crop.size
        edges = [(each.erode.top * side, each.feather * side) for each in given.settings]
        if len(set(edges)) == 1:
            shaped = shape_edge(masks, erode=edges[0][0], feather=edges[0][1])
        else:
            one_by_one = zip(masks.split(1), edges, strict=True)
            shaped = torch.cat(
                [shape_edge(mask, erode=erode, feather=feather) for mask, (erode, feather) in one_by_one]
            )
        strengths = [
            0.0 if _is_painted(given, i) else settings.mask_steady for i, settings in enumerate(given.settings)
        ]
        return self._steady.follow(given.keys, given.frames, shaped, strengths)

    def _visible(self, given: MaskBatch, possible: Tensor, which: Sequence[int]) -> Tensor:
        """Return (B, 1, S, S) in [0, 1]: 1 where nothing is in front of the faces."""
        pictures = torch.cat([given.originals, given.swapped, possible], dim=1)
        size = pictures.shape[-1]
        small = area(pictures, (SIDE, SIDE)) if size >= SIDE else enlarged(pictures, SIDE)
        (fetched,) = Download([small.flatten(0, 2)]).arrays()
        answers = np.ones((len(possible), 1, SIDE, SIDE), dtype=np.float32)
        for i in which:
            picture, face = fetched.reshape(-1, 7, SIDE, SIDE)[i], given.faces[i]
            answers[i, 0] = self._occlusion.visible_small(
                given.keys[i],
                picture[:3],
                picture[3:6],
                picture[6:],
                given.crop,
                canonical_landmarks(face),
                face.scheme,
            )
        is_covered = answers.min(axis=(1, 2, 3)) < 1
        if not is_covered.any():
            return torch.ones_like(possible)
        visible = enlarged(to_device(answers, possible.device), size)
        drawn = guided_filter(visible, given.originals, radius=max(1, round(size / SIDE)))
        return torch.where(to_device(is_covered, possible.device).view(-1, 1, 1, 1), drawn, 1)

    def _with_painted(self, given: MaskBatch, masks: Tensor, bounds: list[Rect]) -> tuple[Tensor, list[Rect]]:
        multiplied = [None if _is_painted(given, i) else painted for i, painted in enumerate(given.painted)]
        masks = _times(masks, multiplied)
        for i, painted in enumerate(given.painted):
            if painted is not None and _is_painted(given, i):
                masks[i] = to_device(painted, masks.device)
                bounds[i] = rect_of(painted[0])
        return masks, bounds

    def _reached(self, keys: Sequence[Hashable], bounds: Sequence[Rect]) -> list[Rect]:
        """Return the bounds, grown by those before of the same track: a steadied mask holds a share of the last ones."""
        results = []
        for key, (x0, y0, x1, y1) in zip(keys, bounds, strict=True):
            if key in self._bounds:
                a0, b0, a1, b1 = self._bounds[key]
                x0, y0, x1, y1 = min(x0, a0), min(y0, b0), max(x1, a1), max(y1, b1)
            self._bounds[key] = (x0, y0, x1, y1)
            results.append((x0, y0, x1, y1))
        return results


def _is_painted(given: MaskBatch, i: int) -> bool:
    """True when a painted mask takes the place of the face's own."""
    return given.painted[i] is not None and given.settings[i].mask_use == "replace"


def _times(masks: Tensor, factors: Sequence[NDArray[np.float32] | None]) -> Tensor:
    """Return (B, 1, S, S) masks times (1, S, S) ones of the host; None = as it is."""
    if all(factor is None for factor in factors):
        return masks
    ones = np.ones(masks.shape[1:], dtype=np.float32)
    return masks * to_device(np.stack([ones if factor is None else factor for factor in factors]), masks.device)


def faded(masks: Tensor, faces: Sequence[Face], settings: Sequence[FaceSettings], crop: CropSpec) -> Tensor:
    """Return final (B, 1, S, S) masks as seen through the opacity of their faces: `convert.mask.faded`."""
    shares = [
        None if each.opacity.is_full else opacity_map(canonical_landmarks(face), crop, each.opacity, face.scheme)
        for face, each in zip(faces, settings, strict=True)
    ]
    return masks if all(share is None for share in shares) else with_clean_support(_times(masks, shares))
