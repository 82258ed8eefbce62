"""The mask of each swapped face: what of its patch will be seen.

network x hull x segmentation x what nothing covers (occlusion), edges shaped, x the actor's own regions taken out, x the
painted mask. Painted masks come last: their edges are as their painter wants them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, masks
from faceswap.convert.config import ConvertConfig
from faceswap.convert.painted import PaintedMasks
from faceswap.faces.align import canonical_landmarks
from faceswap.faces.views import render_view
from faceswap.masks.occlusion import OcclusionModel
from faceswap.masks.regions import region_mask
from faceswap.types import CropSpec, Face, Frame, Patch

if TYPE_CHECKING:
    from faceswap.faces.base import Segmenter


@dataclass(frozen=True, slots=True, eq=False)
class MaskInput:
    """What the mask of one face is made of."""

    frame: int
    size: tuple[int, int]
    """(h, w) px of the frame, or of the field."""
    shot: int
    face: Face
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

    What it remembers of tracks (their usual look) starts afresh at each segment, as the engine's colours do.
    """

    def __init__(
        self,
        crop: CropSpec,
        config: ConvertConfig,
        *,
        painted: PaintedMasks | None = None,
        device: str = "auto",
    ) -> None:
        """Prepare for faces of a crop.

        Args:
            painted: hand-painted masks of the clip. device: where a segmentation network runs.
        """
        self._crop, self._config, self._painted = crop, config, painted
        self._occlusion = OcclusionModel(crop) if config.occlusion == "auto" else None
        self._segmenter: Segmenter | None = None
        if config.segmenter is not None:
            from faceswap.faces.registry import make_segmenter

            self._segmenter = make_segmenter(Path(config.segmenter), glasses=config.glasses, device=device)

    @property
    def has_memory(self) -> bool:
        """True when masks depend on the frames before."""
        return self._occlusion is not None

    def begin_segment(self) -> None:
        """Forget all tracks."""
        if self._occlusion is not None:
            self._occlusion = OcclusionModel(self._crop)

    def segment(self, frames: Sequence[Frame], faces: Sequence[Face]) -> list[NDArray[np.float32] | None]:
        """Return the segmentation network's mask of each face as (1, S, S) of the crop; None without such a network.

        Args:
            frames: for each face the frame that it is in.
        """
        network = self._segmenter
        if network is None or not faces:
            return [None] * len(faces)
        size = (network.size, network.size)
        pictures = []
        for frame, face in zip(frames, faces, strict=True):
            assert face.frame_from_canonical is not None  # its patch was cut by the same matrix
            matrix = geometry.compose(network.patch_from_canonical, geometry.invert(face.frame_from_canonical))
            pictures.append(render_view(frame, matrix, size))
        crop_from_network = geometry.compose(
            geometry.patch_from_canonical(self._crop), geometry.invert(network.patch_from_canonical)
        )
        crop_size = (self._crop.size, self._crop.size)
        # What the network does not see lies outside every hull, so its edge may go on there.
        return [
            np.clip(geometry.warp(found, crop_from_network, crop_size, border=cv2.BORDER_REPLICATE), 0, 1)[None]
            for found in network.segment(np.stack(pictures))
        ]

    def make(self, inputs: Sequence[MaskInput]) -> list[NDArray[np.float32]]:
        """Return the final (1, S, S) masks, in the same order.

        Args:
            inputs: faces in the order of their frames.
        """
        return [self._make(each) for each in inputs]

    def _make(self, given: MaskInput) -> NDArray[np.float32]:
        config, size = self._config, self._crop.size
        points, scheme = canonical_landmarks(given.face), given.face.scheme
        painted = None
        if self._painted is not None:
            painted = self._painted.in_patch(given.frame, given.face, given.patch, self._crop, given.size)
        if painted is not None and config.mask_use == "replace":
            mask = painted
        else:
            mask = masks.face_hull(points, self._crop, scheme)
            for factor in (given.network, given.segmentation):
                mask = mask if factor is None else mask * factor
            if self._occlusion is not None:
                key = (given.shot, given.face.track)
                mask = mask * self._occlusion.visible(key, given.patch.pixels, given.swapped, mask, points, scheme)
            mask = masks.shape_edge(mask, erode=config.erode * size, feather=config.feather * size)
            mask = mask if painted is None else mask * painted
        if config.keep:
            mask = mask * (1 - region_mask(points, self._crop, config.keep, scheme))
        return masks.with_clean_support(mask)
