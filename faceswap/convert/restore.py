"""Fine detail for swapped faces: a restoration network draws it, at its own size, before colours and sharpness are matched.

A patch of 64 px has no room for pores and lashes. So a restored face goes on as a larger patch of the same crop, as large as the
network's pictures deserve; the footage, the mask and the untouched swap are brought to that size too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, masks, resample
from faceswap.convert import blend
from faceswap.convert.face_settings import FaceSettings
from faceswap.faces.align import canonical_from_frame
from faceswap.faces.base import FaceRestorer
from faceswap.faces.registry import make_restorer
from faceswap.faces.views import sample_rgb
from faceswap.types import CropSpec, Face, Frame, Matrix, Patch

_RIM = 0.03
"""Width of the soft edge of what the network sees, in sides of its picture: beyond it the swap stays as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Restorable:
    """What restoring a face needs of its frame; kept for a while, so in half precision."""

    view: NDArray[np.float16]
    """(3, V, V) RGB [0, 1]: the face in the network's framing."""
    footage: NDArray[np.float16]
    """(3, L, L) RGB [0, 1]: as cut from the frame, at the size that the restored face will have."""
    large_from_frame: Matrix

    @property
    def patch(self) -> Patch:
        """The footage as a patch; no mask."""
        return Patch(self.footage.astype(np.float32), None, self.large_from_frame)


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A swapped face with fine detail, larger than before."""

    pixels: NDArray[np.float32]
    """(3, L, L) RGB [0, 1]"""
    mask: NDArray[np.float32]
    """(1, L, L) [0, 1]"""


class FaceRestoration:
    """Restores the faces of a conversion, with the networks that their settings name."""

    def __init__(self, settings: Sequence[FaceSettings], device: str = "auto") -> None:
        """Load the networks.

        Args:
            settings: all that faces may have. device: where the networks run.

        Raises:
            UsageError, UnsupportedInputError: as of `make_restorer`.
        """
        names = {each.restore for each in settings if each.restore is not None}
        self._networks: dict[str, FaceRestorer] = {name: make_restorer(name, device=device) for name in sorted(names)}

    def look(self, frame: Frame, face: Face, crop: CropSpec, settings: FaceSettings) -> Restorable | None:
        """Return what restoring a face will need of its frame; None = it is not to be restored."""
        if settings.restore is None or settings.restore_strength <= 0:
            return None
        network = self._networks[settings.restore]
        view_from_frame = geometry.compose(network.patch_from_canonical, canonical_from_frame(face))
        view = sample_rgb(frame, view_from_frame, (network.size, network.size))
        large = blend.cut(frame, face, _enlarged(crop, network))
        return Restorable(view.astype(np.float16), large.pixels.astype(np.float16), large.patch_from_frame)

    def restore(
        self,
        given: Restorable,
        swapped: NDArray[np.float32],
        mask: NDArray[np.float32],
        crop: CropSpec,
        settings: FaceSettings,
    ) -> Restored:
        """Return the swapped face with as much restored detail as its settings say.

        Args:
            swapped: (3, S, S) RGB [0, 1]. mask: (1, S, S), where it will be seen: the network is shown it in its frame.
            crop: of both.
        """
        assert settings.restore is not None
        network = self._networks[settings.restore]
        patch_from_view = geometry.compose(
            geometry.patch_from_canonical(crop), geometry.invert(network.patch_from_canonical)
        )
        shown = np.clip(blend.lay_rgb(given.view.astype(np.float32), Patch(swapped, mask, patch_from_view)), 0, 1)
        found = network.restore(shown[None], settings.restore_faithfulness)[0]
        size = given.footage.shape[-1]
        large_from_patch = geometry.scaling(size / crop.size)
        large_from_found = geometry.compose(
            large_from_patch,
            geometry.compose(patch_from_view, geometry.scaling(network.size / found.shape[-1])),
        )
        large = np.stack([_warped(plane, large_from_patch, size) for plane in swapped])
        # The change is taken, not the picture: at the mask's edge that one is half footage, which would be mixed in twice.
        side = found.shape[-1]
        before = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_CUBIC) for plane in shown]
        change = np.stack([_warped(a - b, large_from_found, size) for a, b in zip(found, before, strict=True)])
        share = np.float32(settings.restore_strength) * _inside(side, large_from_found, size)
        large_mask = np.clip(_warped(mask[0], large_from_patch, size), 0, 1)[None]
        return Restored(np.clip(large + share * change, 0, 1), masks.with_clean_support(large_mask))


def _enlarged(crop: CropSpec, network: FaceRestorer) -> CropSpec:
    """Return the crop at the size at which the network's pictures are; never smaller than it was."""
    by = geometry.scale_of(network.patch_from_canonical) / geometry.scale_of(geometry.patch_from_canonical(crop))
    return replace(crop, size=max(crop.size, 4 * round(crop.size * by / 4)))


def _warped(plane: NDArray, matrix: Matrix, size: int) -> NDArray[np.float32]:
    return resample.warp(np.ascontiguousarray(plane), matrix, (size, size), is_smooth=True)


def _inside(side: int, large_from_found: Matrix, size: int) -> NDArray[np.float32]:
    """Return (L, L) in [0, 1]: 1 where the network saw the face."""
    rim = max(1, round(_RIM * side))
    whole = np.zeros((side, side), dtype=np.float32)
    whole[rim:-rim, rim:-rim] = 1
    whole = cv2.blur(whole, (2 * rim - 1, 2 * rim - 1), borderType=cv2.BORDER_CONSTANT)
    return resample.warp(whole, large_from_found, (size, size), border=cv2.BORDER_CONSTANT)
