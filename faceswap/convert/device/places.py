"""Where faces lie in planes: small tables, computed on the host in float64, that tell crop and paste what to sample.

The arithmetic is that of `resample.warp`: a picture that shrinks is area-filtered to a whole number of samples first, then
interpolated; here the two are done in one go, so only the numbers travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap import geometry, resample
from faceswap.convert.device.planes import Rect, to_device
from faceswap.types import ColorInfo, Matrix, PlaneLayout

ROW = 18
"""Numbers a face and plane: 0-5 the (2, 3) map from destination to prefiltered samples, 6-7 x and y of the first source
sample, 8-9 width and height of the source samples that are looked at, 10-11 the same prefiltered, 12-15 the rectangle of the
destination (x0, y0, width, height), 16 places between two samples at which the cubic is exact (`resample.num_places`), 17 whether
masks are interpolated by it too."""


class CropTable(NamedTuple):
    """Places of B faces to cut out of planes."""

    rows: Tensor
    """(B, 2, ROW) float32 on the device: luma, chroma."""
    frames: Tensor
    """(B,) int32 on the device: which picture each face is in."""
    size: int
    """Side of the patches, px."""
    host: NDArray[np.float64]
    """`rows` on the host."""
    host_frames: tuple[int, ...]


class PasteTable(NamedTuple):
    """Places of B patches in planes; at most one face of a picture (others follow in another table)."""

    rows: Tensor
    """(B, 2, ROW) float32 on the device: luma, chroma."""
    frames: Tensor
    """(B,) int32 on the device."""
    host: NDArray[np.float64]
    host_frames: tuple[int, ...]

    def rect(self, face: int, plane: int) -> Rect:
        """Return what a face may change of a plane (0 = luma, 1 = chroma); empty = all zeros."""
        x, y, width, height = (int(v) for v in self.host[face, plane, 12:16])
        return x, y, x + width, y + height

    def extent(self, plane: int) -> tuple[int, int]:
        """Return the largest (h, w) of the rectangles in a plane."""
        return int(self.host[:, plane, 15].max(initial=0)), int(self.host[:, plane, 14].max(initial=0))


def crop_table(
    matrices: Sequence[Matrix],
    frames: Sequence[int],
    size: int,
    plane_sizes: tuple[tuple[int, int], tuple[int, int]],
    layout: PlaneLayout,
    color: ColorInfo,
    device: torch.device,
) -> CropTable:
    """Return the table for cutting patches of `size` px.

    Args:
        matrices: (2, 3) patch-from-frame of each face. frames: which picture each face is in.
        plane_sizes: (h, w) of luma and chroma.
    """
    luma_from_chroma = geometry.luma_from_chroma(layout.chroma_shift, color.siting)
    rows = np.zeros((len(matrices), 2, ROW))
    for row, matrix in zip(rows, matrices, strict=True):
        for plane, plane_size in enumerate(plane_sizes):
            patch_from_plane = geometry.compose(matrix, luma_from_chroma) if plane else matrix
            x0, y0, x1, y1 = resample.needed_rect(plane_size, patch_from_plane, (size, size))
            patch_from_part = geometry.compose(patch_from_plane, geometry.translation(x0, y0))
            row[plane] = _row(patch_from_part, (x0, y0), (y1 - y0, x1 - x0), (0, 0, size, size))
    return CropTable(*_on_device(rows, frames, device), size, rows, tuple(frames))


def paste_table(
    matrices: Sequence[Matrix],
    frames: Sequence[int],
    size: int,
    bounds: Sequence[Rect],
    plane_sizes: tuple[tuple[int, int], tuple[int, int]],
    layout: PlaneLayout,
    color: ColorInfo,
    device: torch.device,
) -> PasteTable:
    """Return the table for pasting patches of `size` px.

    Args:
        matrices, frames, plane_sizes: as in `crop_table`.
        bounds: rectangle in px of each patch outside which its mask is 0.
    """
    luma_from_chroma = geometry.luma_from_chroma(layout.chroma_shift, color.siting)
    rows = np.zeros((len(matrices), 2, ROW))
    for row, matrix, (x0, y0, x1, y1) in zip(rows, matrices, bounds, strict=True):
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
        for plane, plane_size in enumerate(plane_sizes):
            plane_from_patch = geometry.invert(matrix)
            if plane:
                plane_from_patch = geometry.compose(geometry.invert(luma_from_chroma), plane_from_patch)
            # Interpolation and area filter spread the mask, as in `blend.paste`.
            pad = int(np.ceil(2 * np.linalg.norm(plane_from_patch[:, :2], axis=0).max())) + 1
            rect = geometry.bounding_rect(geometry.apply(plane_from_patch, corners), plane_size, pad=pad)
            row[plane] = _row(plane_from_patch, (0, 0), (size, size), rect)
    return PasteTable(*_on_device(rows, frames, device), rows, tuple(frames))


def _row(dst_from_part: Matrix, start: tuple[int, int], size: tuple[int, int], rect: Rect) -> list[float]:
    """Return one row of a table.

    Args:
        dst_from_part: from px of the part of the source that is looked at. start: (x, y) of that part. size: (h, w) of it.
        rect: of the destination; the row's map starts at its corner.
    """
    height, width = resample.prefiltered_size(size, dst_from_part)
    dst_from_sampled = geometry.compose(dst_from_part, geometry.scaling(size[1] / width, size[0] / height))
    sampled_from_dst = geometry.compose(geometry.invert(dst_from_sampled), geometry.translation(rect[0], rect[1]))
    x0, y0, x1, y1 = rect
    places, is_smooth = resample.num_places(dst_from_sampled), resample.enlarges_much(dst_from_part)
    extent = (x1 - x0, y1 - y0)
    return [*sampled_from_dst.ravel(), *start, *size[::-1], width, height, x0, y0, *extent, places, float(is_smooth)]


def _on_device(rows: NDArray, frames: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    return to_device(rows.astype(np.float32), device), to_device(np.array(frames, dtype=np.int32), device)
