"""Pasting patches into planes on a device: the reference in torch, face by face.

`triton_paste` does the same in one launch for each size of plane; `kernels` chooses.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from faceswap import color, geometry
from faceswap.convert.device.crop import bilinear, color_matrix
from faceswap.convert.device.filters import area
from faceswap.convert.device.places import PasteTable
from faceswap.convert.device.planes import DevicePlanes

Noise = tuple[Tensor | None, Tensor | None, Tensor | None]
"""For each plane (B, h, w) float32 code values laid over each patch, from the corner of its rectangle on, at least as large as
the largest rectangle; None = none."""
NO_NOISE: Noise = (None, None, None)


def paste(planes: DevicePlanes, table: PasteTable, patches: Tensor, masks: Tensor, noise: Noise = NO_NOISE) -> None:
    """Composite patches into planes in place, as `blend.paste` does; samples where the warped mask is 0 stay as they are.

    Args:
        patches: (B, 3, S, S) float32 RGB [0, 1]. masks: (B, 1, S, S) [0, 1].
    """
    linear, offset = color_matrix(color.codes_from_rgb(planes.color), planes.device)
    codes = torch.einsum("ij,bjhw->bihw", linear, patches) + offset.view(3, 1, 1)
    top = 2**planes.color.bit_depth - 1
    for face, frame in enumerate(table.host_frames):
        for i, (plane, grain) in enumerate(zip(planes.planes, noise, strict=True)):
            row = table.host[face, min(i, 1)]
            x0, y0, x1, y1 = table.rect(face, min(i, 1))
            if x1 == x0:
                continue
            size = (y1 - y0, x1 - x0)
            small_size = (int(row[11]), int(row[10]))
            mask = area(masks[face, 0], small_size)
            alpha = smooth(mask, row, size).clamp(0, 1) if row[17] else bilinear(mask, row, size, outside=0.0)
            new = smooth(area(codes[face, i], small_size), row, size)
            place = plane[frame, y0:y1, x0:x1]
            old = place.float()
            mixed = old + alpha * (new - old)
            if grain is not None:  # stronger than alpha where both grains show through and half cancel
                mixed += (alpha * (2 - alpha)).sqrt() * grain[face, : size[0], : size[1]]
            place.copy_(torch.where(alpha > 0, mixed.round().clamp(0, top), old).to(plane.dtype))


def smooth(picture: Tensor, row: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
    """Return a (h, w) picture sampled as `geometry.warp(is_smooth=True)` does: made finer by a cubic, then linearly."""
    n = int(row[16])
    kernels = [torch.from_numpy(geometry.catmull_rom((place + 0.5) / n - 0.5)).float() for place in range(n)]
    both = torch.stack([torch.outer(rows, columns) for rows in kernels for columns in kernels]).to(picture.device)
    padded = F.pad(picture[None, None], (2, 2, 2, 2), mode="replicate")
    finer = F.pixel_shuffle(F.conv2d(padded, both[:, None]), n)[0, 0]
    return bilinear(finer, n * row[:6], size)
