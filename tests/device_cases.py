"""What tests of the device path share: frames as device planes, batches of faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from makers import smooth_noise
from numpy.typing import NDArray

from faceswap import masks
from faceswap.convert.device import crop, paste
from faceswap.convert.device.grain import DeviceNoise
from faceswap.convert.device.places import crop_table, paste_table
from faceswap.convert.device.planes import DevicePlanes, FrameUploader
from faceswap.convert.grain import Grain
from faceswap.faces.align import canonical_landmarks, patch_from_frame
from faceswap.types import CropSpec, Face, Frame, Patch

CPU = torch.device("cpu")


def planes_of(frames: Sequence[Frame], device: torch.device = CPU) -> DevicePlanes:
    return FrameUploader(device).upload(frames)


def frame_of(planes: DevicePlanes, number: int, like: Frame) -> Frame:
    """Return one picture of device planes as a frame."""
    found = [plane[number].cpu().numpy().copy() for plane in planes.planes]
    return replace(like, planes=(*found, *like.planes[3:]))


def patch_of(face: Face, size: int = 64, *, blur: float = 6.0, feather: float = 6.0, seed: int = 5) -> Patch:
    """Return soft noise in the place of a face under the mask that a conversion would use."""
    crop_spec = CropSpec(size, "face")
    mask = masks.shape_edge(masks.face_hull(canonical_landmarks(face), crop_spec), erode=0, feather=feather)
    pixels = np.ascontiguousarray(smooth_noise((size, size), seed, blur=blur).transpose(2, 0, 1))
    return Patch(pixels, mask, patch_from_frame(face, crop_spec))


def crop_all(
    frames: Sequence[Frame],
    where: Sequence[tuple[int, Face]],
    size: int,
    *,
    planes: DevicePlanes | None = None,
    function: Any = crop.crop,
) -> NDArray[np.float32]:
    """Return the (B, 3, S, S) crops of faces, each given with the number of its frame."""
    planes = planes or planes_of(frames)
    matrices = [patch_from_frame(face, CropSpec(size, "face")) for _, face in where]
    table = crop_table(
        matrices, [i for i, _ in where], size, planes.sizes(), planes.layout, planes.color, planes.device
    )
    result: NDArray[np.float32] = function(planes, table).cpu().numpy()
    return result


def paste_all(
    frames: Sequence[Frame],
    where: Sequence[tuple[int, Patch]],
    *,
    bounds: Sequence[tuple[int, int, int, int]] | None = None,
    noise: float | None = None,
    grain: Grain | None = None,
    function: Any = paste.paste,
    device: torch.device = CPU,
) -> list[Frame]:
    """Return the frames with patches pasted, at most one in each.

    Args:
        noise: codes added to luma and V (all planes of RGB). grain: laid over each patch instead.
    """
    planes = planes_of(frames, device)
    size = where[0][1].pixels.shape[-1]
    table = paste_table(
        [patch.patch_from_frame for _, patch in where],
        [i for i, _ in where],
        size,
        bounds or [(0, 0, size, size)] * len(where),
        planes.sizes(),
        planes.layout,
        planes.color,
        planes.device,
    )
    pixels, mask = (
        torch.from_numpy(np.stack([getattr(patch, name) for _, patch in where])).to(device)
        for name in ("pixels", "mask")
    )
    levels = paste.NO_NOISE
    if noise is not None:
        luma, chroma = (torch.full((len(where), *table.extent(i)), noise, device=device) for i in (0, 1))
        levels = (luma, chroma if planes.layout.is_rgb else None, chroma)
    if grain is not None:
        levels = DeviceNoise(device).over([grain] * len(where), planes, table)
    function(planes, table, pixels, mask, levels)
    return [frame_of(planes, i, frame) for i, frame in enumerate(frames)]
