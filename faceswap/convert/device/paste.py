"""Pasting patches into planes on a device: the reference in torch, face by face.

`triton_paste` does the same in one launch for each size of plane; `kernels` chooses.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceswap import color, geometry
from faceswap.convert.device.crop import bilinear, color_matrix
from faceswap.convert.device.filters import area
from faceswap.convert.device.places import PasteTable
from faceswap.convert.device.planes import DevicePlanes


def paste(planes: DevicePlanes, table: PasteTable, patches: Tensor, masks: Tensor, noise: Tensor | None = None) -> None:
    """Composite patches into planes in place, as `blend.paste` does; samples where the warped mask is 0 stay as they are.

    Args:
        patches: (B, 3, S, S) float32 RGB [0, 1]. masks: (B, 1, S, S) [0, 1].
        noise: (B, h, w) float32 code values laid over each patch, from the corner of its rectangle in luma (in all planes
            of RGB); at least as large as the largest rectangle.
    """
    linear, offset = color_matrix(color.codes_from_rgb(planes.color), planes.device)
    codes = torch.einsum("ij,bjhw->bihw", linear, patches) + offset.view(3, 1, 1)
    top = 2**planes.color.bit_depth - 1
    for face, frame in enumerate(table.host_frames):
        for i, plane in enumerate(planes.planes):
            row = table.host[face, min(i, 1)]
            x0, y0, x1, y1 = table.rect(face, min(i, 1))
            if x1 == x0:
                continue
            size = (y1 - y0, x1 - x0)
            small_size = (int(row[11]), int(row[10]))
            alpha = bilinear(area(masks[face, 0], small_size), row, size, outside=0.0)
            new = smooth(area(codes[face, i], small_size), row, size)
            if noise is not None and (i == 0 or planes.layout.is_rgb):
                new = new + noise[face, : size[0], : size[1]]
            place = plane[frame, y0:y1, x0:x1]
            old = place.float()
            mixed = (old + alpha * (new - old)).round().clamp(0, top)
            place.copy_(torch.where(alpha > 0, mixed, old).to(plane.dtype))


def smooth(picture: Tensor, row: list[float], size: tuple[int, int]) -> Tensor:
    """Return a (h, w) picture sampled as `geometry.warp(is_smooth=True)` does: doubled by a cubic, then linearly."""
    in_doubled = [2 * float(v) for v in row[:6]]
    return bilinear(_doubled(picture), in_doubled, size)


def _doubled(picture: Tensor) -> Tensor:
    """Return (h, w) as (2h, 2w), interpolated by Catmull-Rom's cubic."""
    early = torch.from_numpy(geometry.catmull_rom(-0.25)).float().to(picture.device)
    kernels = torch.stack(
        [torch.outer(rows, columns) for rows in (early, early.flip(0)) for columns in (early, early.flip(0))]
    )
    padded = F.pad(picture[None, None], (2, 2, 2, 2), mode="replicate")
    return F.pixel_shuffle(F.conv2d(padded, kernels[:, None]), 2)[0, 0]
