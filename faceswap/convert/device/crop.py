"""Cutting faces out of planes on a device: the reference in torch, face by face.

`triton_crop` does the same in one launch; `kernels` chooses.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap import color
from faceswap.convert.device.filters import area
from faceswap.convert.device.places import CropTable
from faceswap.convert.device.planes import DevicePlanes


def crop(planes: DevicePlanes, table: CropTable) -> Tensor:
    """Return the faces as (B, 3, S, S) float32 RGB [0, 1]: what `blend.cut` gives for each."""
    codes = torch.stack(
        [
            torch.stack([_sampled(planes.planes[i][frame], row[min(i, 1)], table.size) for i in range(3)])
            for row, frame in zip(table.host, table.host_frames, strict=True)
        ]
    )
    linear, offset = color_matrix(color.rgb_from_codes(planes.color), planes.device)
    return (torch.einsum("ij,bjhw->bihw", linear, codes) + offset.view(3, 1, 1)).clamp(0, 1)


def color_matrix(affine: color.Affine, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the (3, 3) and (3,) of a colour map as float32 on a device."""
    return torch.from_numpy(affine.linear).float().to(device), torch.from_numpy(affine.offset).float().to(device)


def _sampled(plane: Tensor, row: NDArray[np.float64], size: int) -> Tensor:
    """Return the (S, S) samples of a (h, w) plane at one row of a table."""
    x0, y0, width, height, small_width, small_height = (int(v) for v in row[6:12])
    part = plane[y0 : y0 + height, x0 : x0 + width].float()
    small = area(part, (small_height, small_width))
    return bilinear(small, row, (size, size))


def bilinear(
    picture: Tensor, row: NDArray[np.float64], size: tuple[int, int], *, outside: float | None = None
) -> Tensor:
    """Return a (h, w) picture sampled into `size` (h, w) at the map of a table's row.

    Args:
        outside: value beyond the edge; None = the nearest px.
    """
    height, width = picture.shape
    x, y = _points(row, size, picture.device)
    low_x, low_y = x.floor(), y.floor()
    total = torch.zeros(size, dtype=torch.float32, device=picture.device)
    for dy in (0, 1):
        for dx in (0, 1):
            column, line = low_x + dx, low_y + dy
            weight = (1 - (x - column).abs()) * (1 - (y - line).abs())
            values = picture[line.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()]
            if outside is not None:
                is_inside = (column >= 0) & (column < width) & (line >= 0) & (line < height)
                values = torch.where(is_inside, values, outside)
            total += weight.float() * values
    return total


def _points(row: NDArray[np.float64], size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return where the px of a destination lie, counted from the centre of the first sample of the source."""
    a, b, c, d, e, f = (float(v) for v in row[:6])
    y, x = (torch.arange(n, dtype=torch.float64, device=device) + 0.5 for n in size)
    return a * x + b * y[:, None] + c - 0.5, d * x + e * y[:, None] + f - 0.5
