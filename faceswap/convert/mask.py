"""The mask of each swapped face: what of its patch will be seen.

network (never less than the face's core) x hull x segmentation, edges shaped, drawn to those of the footage and steadied, then
x what nothing covers (occlusion) x the painted mask, less the parts that stay the actor's own. Those last have edges of their
own, which are not feathered again. Opacity comes last of all (`faded`), when everything that asks where the face is was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, masks, resample
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.painted import PaintedMasks
from faceswap.faces.align import canonical_from_frame, canonical_landmarks
from faceswap.faces.views import render_view
from faceswap.masks.occlusion import OcclusionModel
from faceswap.masks.opacity import opacity_map
from faceswap.masks.regions import region_mask
from faceswap.masks.steady import SteadyMasks
from faceswap.types import CropSpec, Face, Frame, Patch

if TYPE_CHECKING:
    from faceswap.faces.base import Segmenter

_ROUGH_FEATHER = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class MaskInput:
    """What the mask of one face is made of."""

    frame: int
    size: tuple[int, int]
    """(h, w) px of the frame, or of the field."""
    shot: int
    face: Face
    settings: FaceSettings
    patch: Patch
    """As cut from the frame."""
    swapped: NDArray[np.float32]
    """(3, S, S) RGB [0, 1] as the network gave it."""
    network: NDArray[np.float32] | None
    """(1, S, S) [0, 1]; None = the network predicts no mask."""
    segmentation: NDArray[np.float32] | None
    """(1, S, S) [0, 1] as `MaskMaker.segment` gave it."""


class MaskMaker:
    """Makes the masks of a conversion's faces.

    What it remembers of tracks (their usual look, their last mask) starts afresh at each segment, as the engine's colours do.
    """

    def __init__(
        self, settings: Sequence[FaceSettings], *, painted: PaintedMasks | None = None, device: str = "auto"
    ) -> None:
        """Prepare for a conversion.

        Args:
            settings: all that faces may have. painted: hand-painted masks of the clip.
            device: where segmentation networks run.
        """
        self._painted = painted
        self.begin_segment()
        self._segmenters: dict[tuple[str, bool], Segmenter] = {}
        for each in settings:
            if each.segmenter is not None and (each.segmenter, each.glasses) not in self._segmenters:
                from faceswap.faces.registry import make_segmenter

                network = make_segmenter(each.segmenter, glasses=each.glasses, device=device)
                self._segmenters[each.segmenter, each.glasses] = network

    def begin_segment(self) -> None:
        """Forget all tracks."""
        self._occlusion, self._steady = OcclusionModel(), SteadyMasks()

    def segment(self, frame: Frame, face: Face, crop: CropSpec, settings: FaceSettings) -> NDArray[np.float32] | None:
        """Return the segmentation network's mask of a face as (1, S, S) of a crop; None without such a network."""
        if settings.segmenter is None:
            return None
        network = self._segmenters[settings.segmenter, settings.glasses]
        matrix = geometry.compose(network.patch_from_canonical, canonical_from_frame(face))
        picture = render_view(frame, matrix, (network.size, network.size))
        crop_from_network = geometry.compose(
            geometry.patch_from_canonical(crop), geometry.invert(network.patch_from_canonical)
        )
        # What the network does not see lies outside every hull, so its edge may go on there.
        found = resample.warp(network.segment(picture[None])[0], crop_from_network, (crop.size, crop.size))
        return np.clip(found, 0, 1)[None]

    def make(self, given: MaskInput, crop: CropSpec) -> NDArray[np.float32]:
        """Return the final (1, S, S) mask of a face; those of a track are made in the order of their frames."""
        settings = given.settings
        points, scheme = canonical_landmarks(given.face), given.face.scheme
        painted = None
        if self._painted is not None:
            painted = self._painted.in_patch(given.frame, given.face, given.patch, crop, given.size)
        if painted is not None and settings.mask_use == "replace":
            mask = painted
        else:
            mask = masks.face_hull(points, crop, scheme)
            if given.network is not None:
                mask = mask * np.maximum(given.network, masks.face_core(points, crop, scheme))
            if given.segmentation is not None:
                mask = mask * given.segmentation
            shaped = self._shaped(given, mask, crop)
            # What covers the face has edges of its own, which are sharp: no feather there. It is looked for wherever the face
            # is, before the edge took something off, or after it grew.
            possible = np.maximum(mask, shaped)
            mask = shaped * self._visible(given, possible, crop) if settings.occlusion == "auto" else shaped
            mask = mask if painted is None else mask * painted
        if settings.keep:
            mask = mask * (1 - region_mask(points, crop, settings.keep, scheme))
        return masks.with_clean_support(mask)

    def _shaped(self, given: MaskInput, mask: NDArray[np.float32], crop: CropSpec) -> NDArray[np.float32]:
        """Return the mask with its final soft edge."""
        settings, side = given.settings, crop.size
        shaped = masks.shape_edge(mask, erode=settings.erode.scaled(side), feather=settings.feather * side)
        shaped = masks.refine_edge(shaped, given.patch.pixels, settings.refine_mask * side)
        if settings.mask_steady <= 0:
            return shaped
        return self._steady.follow((given.shot, given.face.track), given.frame, shaped, settings.mask_steady)

    def _visible(self, given: MaskInput, mask: NDArray[np.float32], crop: CropSpec) -> NDArray[np.float32]:
        face = given.face
        return self._occlusion.visible(
            (given.shot, face.track),
            given.patch.pixels,
            given.swapped,
            mask,
            crop,
            canonical_landmarks(face),
            face.scheme,
        )


def rough_place(face: Face, crop: CropSpec) -> NDArray[np.float32]:
    """Return (1, S, S) [0, 1]: a face's hull with a soft edge, for laying a swapped patch over the one it was made from."""
    hull = masks.face_hull(canonical_landmarks(face), crop, face.scheme)
    return masks.shape_edge(hull, erode=0, feather=_ROUGH_FEATHER * crop.size)


def faded(mask: NDArray[np.float32], face: Face, settings: FaceSettings, crop: CropSpec) -> NDArray[np.float32]:
    """Return a face's final (1, S, S) mask as seen through its opacity: the alpha with which it is pasted."""
    if settings.opacity.is_full:
        return mask
    return masks.with_clean_support(mask * opacity_map(canonical_landmarks(face), crop, settings.opacity, face.scheme))
