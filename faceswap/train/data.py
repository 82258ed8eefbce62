"""Facesets as tensors: all crops of an identity in one uint8 pack, decoded once, at the resolution training needs.

A pack is kept beside the faceset (`packs/`) and mapped into memory the next time; on a GPU it moves into the GPU's memory
when there is room for it, and its rows are copied batch by batch otherwise.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap import geometry, masks
from faceswap.errors import NoFaceError, UnsupportedInputError
from faceswap.facesets.measure import read_crop
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import temporary_beside
from faceswap.masks.regions import region_mask
from faceswap.train.balance import balanced_weights
from faceswap.train.draws import moved
from faceswap.types import CropSpec, Matrix

_OVERSAMPLING = 1.25
"""Pack px per model px: sampling through a warp keeps its detail, and nothing aliases."""
MIN_FACES = 8
_VERSION = 1
"""Of what is kept in a pack; another number makes old ones be built anew."""
_KEPT_PACKS = 3
_GPU_SHARE = 0.4
"""Of the GPU's free memory that one pack may take."""
_BASE_CHANNELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class FacePack:
    """The faces of one identity, or a part of them."""

    actor: str
    pixels: Tensor
    """(M, 4 + R, P, P) uint8: RGB, mask, and a map for each of `regions`; may be a file mapped into memory."""
    model_from_pack: Matrix
    """(2, 3) the same for every face."""
    model_size: int
    """Side of the model's pictures, px."""
    regions: tuple[str, ...] = ()
    records: tuple[FaceRecord, ...] = ()
    """One for each of `rows`; empty when nobody asked."""
    rows: Tensor | None = None
    """(N,) int64 on the device of `pixels`: which faces belong to this part; None = all."""
    odds: Tensor | None = None
    """(N,) float32 rising to 1, on the CPU: how likely a face up to each row is drawn; None = all alike."""

    def __repr__(self) -> str:
        return f"FacePack({self.actor!r}, {len(self)} of {tuple(self.pixels.shape)})"

    def __len__(self) -> int:
        return len(self.pixels) if self.rows is None else len(self.rows)

    def choose(self, numbers: Tensor) -> Tensor:
        """Return the faces that random numbers in [0, 1) choose: (B,) -> (B,) int64, both on the CPU."""
        if self.odds is None:
            return (numbers * len(self)).long().clamp_(max=len(self) - 1)
        return torch.searchsorted(self.odds, numbers.contiguous(), right=True).clamp_(max=len(self) - 1)

    def take(self, chosen: Tensor, device: torch.device) -> Tensor:
        """Return the faces of the given numbers, (B, 4 + R, P, P) uint8 on `device`; the host does not wait."""
        chosen = chosen.to(self.pixels.device, non_blocking=True)
        pixels = self.pixels[chosen if self.rows is None else self.rows[chosen]]
        return pixels if pixels.device == device else moved(pixels, device)

    def part(self, is_in: NDArray[np.bool_], balance: float = 0.0) -> FacePack:
        """Return the faces that `is_in` (N,) is true for, drawn with rare poses and clips oftener (`balance`)."""
        numbers = np.flatnonzero(is_in)
        rows = torch.from_numpy(numbers).to(self.pixels.device)
        records = tuple(self.records[i] for i in numbers) if self.records else ()
        odds = None
        if balance and records:
            odds = torch.from_numpy(np.cumsum(balanced_weights(records, balance)) / len(records)).float()
        return replace(self, rows=rows if self.rows is None else self.rows[rows], records=records, odds=odds)


def load_pack(faceset: FaceSet, crop: CropSpec, device: torch.device, regions: Sequence[str] = ()) -> FacePack:
    """Return a faceset decoded for a model's crop, from its kept pack when there is one.

    Args:
        regions: parts of the face (`masks.regions`) of which the pack holds maps.

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
    pixels = torch.from_numpy(_kept(faceset, records, pack_crop, tuple(regions)))
    if device.type == "cuda" and pixels.numel() < _GPU_SHARE * torch.cuda.mem_get_info(device)[0]:
        pixels = pixels.to(device)
    matrix = geometry.patch_from_patch(crop, pack_crop)
    return FacePack(faceset.actor, pixels, matrix, crop.size, tuple(regions), tuple(records))


def _pack_size(crop: CropSpec, stored: CropSpec) -> int:
    scale = geometry.scale_of(geometry.patch_from_patch(crop, stored)) * _OVERSAMPLING
    return stored.size if scale >= 1 else math.ceil(stored.size * scale / 2) * 2


def _kept(
    faceset: FaceSet, records: Sequence[FaceRecord], crop: CropSpec, regions: tuple[str, ...]
) -> NDArray[np.uint8]:
    """Return the pack's pixels, mapped from its file; without room or right to write one, in memory."""
    path = faceset.path / "packs" / f"{crop.size}-{_key(faceset, records, crop, regions)}.npy"
    shape = (len(records), _BASE_CHANNELS + len(regions), crop.size, crop.size)
    temporary = temporary_beside(path)
    try:
        if (kept := _mapped(path, shape)) is not None:
            return kept
        path.parent.mkdir(exist_ok=True)
        mapped = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        _fill(mapped, faceset, records, crop, regions)
        mapped.flush()
        os.replace(temporary, path)
        for old in sorted(path.parent.glob("*.npy"), key=lambda p: p.stat().st_mtime)[:-_KEPT_PACKS]:
            old.unlink()
        return np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError):
        pixels = np.empty(shape, np.uint8)
        _fill(pixels, faceset, records, crop, regions)
        return pixels
    finally:
        with suppress(OSError):
            temporary.unlink()


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Return the pixels of a pack that is there; None = there is none, or it is cut off or damaged, and is made anew."""
    try:
        pixels = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    is_whole = isinstance(pixels, np.ndarray) and pixels.shape == shape and pixels.dtype == np.uint8
    return pixels if is_whole else None


def _key(faceset: FaceSet, records: Sequence[FaceRecord], crop: CropSpec, regions: tuple[str, ...]) -> str:
    """Return a name that changes with any crop file, its points, or what the pack holds."""
    digest = hashlib.sha256(json.dumps([_VERSION, str(crop), str(faceset.crop), regions]).encode())
    for record in records:
        digest.update(f"{record.file} {_state(faceset.path / record.file)} {record.scheme}".encode())
        digest.update(np.ascontiguousarray(record.landmarks, np.float64).tobytes())
    return digest.hexdigest()[:16]


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        raise _damaged(path) from None
    return state.st_size, state.st_mtime_ns


def _fill(
    pixels: NDArray[np.uint8], faceset: FaceSet, records: Sequence[FaceRecord], crop: CropSpec, regions: tuple[str, ...]
) -> None:
    def load(number: int) -> None:
        pixels[number] = _load_face(faceset, records[number], crop, regions)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(load, range(len(records))):
            pass


def _load_face(faceset: FaceSet, record: FaceRecord, crop: CropSpec, regions: tuple[str, ...]) -> NDArray[np.uint8]:
    picture = read_crop(faceset, record)
    if picture is None:
        raise _damaged(faceset.path / record.file)
    if crop.size != faceset.crop.size:
        picture = cv2.resize(picture, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(picture.transpose(2, 0, 1))
    canonical = geometry.apply(geometry.invert(geometry.patch_from_canonical(faceset.crop)), record.landmarks)
    maps = [masks.face_mask(canonical, crop, rgb.astype(np.float32) / 255, record.scheme)]
    maps += [region_mask(canonical, crop, [region], record.scheme) for region in regions]
    return np.concatenate([rgb, *((m * 255 + 0.5).astype(np.uint8) for m in maps)])


def _damaged(path: Path) -> UnsupportedInputError:
    return UnsupportedInputError(f"{path} is missing or damaged; extract the clip again into a new folder")
