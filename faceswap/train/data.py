"""Facesets as tensors: all crops of an identity in one uint8 pack, decoded once, at the resolution training needs."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from faceswap import geometry, masks
from faceswap.errors import NoFaceError, UnsupportedInputError
from faceswap.facesets.measure import read_crop
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.types import CropSpec, Matrix

_OVERSAMPLING = 1.25
"""Pack px per model px: sampling through a warp keeps its detail, and nothing aliases."""
MIN_FACES = 8


@dataclass(frozen=True, slots=True, eq=False)
class FacePack:
    """All faces of one identity."""

    actor: str
    pixels: Tensor
    """(N, 4, P, P) uint8: RGB and mask."""
    model_from_pack: Matrix
    """(2, 3) the same for every face."""

    def __repr__(self) -> str:
        return f"FacePack({self.actor!r}, {tuple(self.pixels.shape)})"


def load_pack(faceset: FaceSet, crop: CropSpec, device: torch.device) -> FacePack:
    """Decode a faceset for a model's crop.

    Raises:
        CropMismatchError: the faceset does not hold the crop. NoFaceError: too few faces.
        UnsupportedInputError: a crop file is missing or damaged.
    """
    geometry.patch_from_patch(crop, faceset.crop)
    records = faceset.records()
    if len(records) < MIN_FACES:
        raise NoFaceError(
            f"{faceset.path} holds {len(records)} faces; training needs at least {MIN_FACES}, better hundreds"
        )
    size = _pack_size(crop, faceset.crop)
    pack_crop = CropSpec(size, faceset.crop.coverage, faceset.crop.margin, faceset.crop.template)
    with ThreadPoolExecutor() as pool:
        faces = list(pool.map(lambda record: _load_face(faceset, record, pack_crop), records))
    pixels = torch.from_numpy(np.stack(faces)).to(device)
    return FacePack(faceset.actor, pixels, geometry.patch_from_patch(crop, pack_crop))


def _pack_size(crop: CropSpec, stored: CropSpec) -> int:
    scale = geometry.scale_of(geometry.patch_from_patch(crop, stored)) * _OVERSAMPLING
    return stored.size if scale >= 1 else math.ceil(stored.size * scale / 2) * 2


def _load_face(faceset: FaceSet, record: FaceRecord, crop: CropSpec) -> np.ndarray:
    picture = read_crop(faceset, record)
    if picture is None:
        path = faceset.path / record.file
        raise UnsupportedInputError(f"{path} is missing or damaged; extract the clip again into a new folder")
    if crop.size != faceset.crop.size:
        picture = cv2.resize(picture, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(picture.transpose(2, 0, 1))
    canonical = geometry.apply(geometry.invert(geometry.patch_from_canonical(faceset.crop)), record.landmarks)
    mask = masks.face_mask(canonical, crop, rgb.astype(np.float32) / 255, record.scheme)
    return np.concatenate([rgb, (mask * 255 + 0.5).astype(np.uint8)])
