"""Cutting faces out of planes in one launch: YUV planes in, normalised RGB patches out.

Launch: one program for each face and BLOCK px of its patch. Memory: the samples under a face are read about four times, all but
the first from the caches; the patch is written once (12 bytes a px). Nothing else is read or written: no mip levels, no RGB
picture, no filtered copy; a face that shrinks by r costs (2 r + 1)² reads a px.
"""

# Triton evaluates annotations of kernels itself: no `from __future__ import annotations` here.
import torch
import triton
import triton.language as tl
from torch import Tensor

from faceswap import color
from faceswap.convert.device.crop import color_matrix
from faceswap.convert.device.places import ROW, CropTable
from faceswap.convert.device.planes import DevicePlanes

_BLOCK, _BLOCK_INTERPRETED = 256, 4096
"""px a program; on the CPU, where each statement is interpreted, few programs of many px are quicker."""


def crop(planes: DevicePlanes, table: CropTable) -> Tensor:
    """Return the faces as (B, 3, S, S) float32 RGB [0, 1]; see `crop.crop`, the reference."""
    size, num_faces = table.size, len(table.host_frames)
    result = torch.empty((num_faces, 3, size, size), dtype=torch.float32, device=planes.device)
    linear, offset = color_matrix(color.rgb_from_codes(planes.color), planes.device)
    luma, u, v = planes.planes
    if u.stride() != v.stride():
        u, v = u.contiguous(), v.contiguous()
    block = _BLOCK if planes.device.type != "cpu" else _BLOCK_INTERPRETED
    grid = (triton.cdiv(size * size, block), num_faces)
    _crop_kernel[grid](
        luma, u, v, *luma.stride(), *u.stride(), table.rows, table.frames, linear, offset, result, size, ROW, block
    )
    return result


@triton.jit
def _weight(i, low, share, ratio, last):
    """Return how much source sample i counts in the linear mix of two area-filtered samples, `low` and the next."""
    first, second = tl.minimum(tl.maximum(low, 0.0), last) * ratio, tl.minimum(tl.maximum(low + 1, 0.0), last) * ratio
    in_first = tl.maximum(tl.minimum(first + ratio, i + 1) - tl.maximum(first, i), 0.0)
    in_second = tl.maximum(tl.minimum(second + ratio, i + 1) - tl.maximum(second, i), 0.0)
    return ((1 - share) * in_first + share * in_second) / ratio


@triton.jit
def _places(row, x, y):
    """Return for each px, along x and y: the sample before it, its share of the way to the next, the first source sample,
    then samples a filtered one, and the last filtered one."""
    u = tl.load(row) * x + tl.load(row + 1) * y + tl.load(row + 2) - 0.5
    v = tl.load(row + 3) * x + tl.load(row + 4) * y + tl.load(row + 5) - 0.5
    last_x, last_y = tl.load(row + 10) - 1, tl.load(row + 11) - 1
    ratio_x, ratio_y = tl.load(row + 8) / (last_x + 1), tl.load(row + 9) / (last_y + 1)
    low_x, low_y = tl.floor(u), tl.floor(v)
    start_x = tl.floor(tl.minimum(tl.maximum(low_x, 0.0), last_x) * ratio_x)
    start_y = tl.floor(tl.minimum(tl.maximum(low_y, 0.0), last_y) * ratio_y)
    return low_x, u - low_x, start_x, ratio_x, last_x, low_y, v - low_y, start_y, ratio_y, last_y


@triton.jit
def _crop_kernel(
    luma, u, v, luma_n, luma_y, luma_x, chroma_n, chroma_y, chroma_x,
    rows, frames, linear, offset, result, size, ROW: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    face = tl.program_id(1)
    px = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    is_px = px < size * size
    x, y = (px % size).to(tl.float32) + 0.5, (px // size).to(tl.float32) + 0.5
    frame = tl.load(frames + face).to(tl.int64)
    row = rows + face * 2 * ROW
    low_x, share_x, start_x, ratio_x, last_x, low_y, share_y, start_y, ratio_y, last_y = _places(row, x, y)
    base = luma + frame * luma_n + tl.load(row + 7).to(tl.int64) * luma_y + tl.load(row + 6).to(tl.int64) * luma_x
    code_y = tl.zeros([BLOCK], tl.float32)
    for j in range(0, tl.ceil(2 * ratio_y).to(tl.int32) + 1):
        line = start_y + j
        weight_y = _weight(line, low_y, share_y, ratio_y, last_y)
        for i in range(0, tl.ceil(2 * ratio_x).to(tl.int32) + 1):
            column = start_x + i
            weight = weight_y * _weight(column, low_x, share_x, ratio_x, last_x)
            where = base + line.to(tl.int32) * luma_y + column.to(tl.int32) * luma_x
            code_y += weight * tl.load(where, mask=is_px & (weight > 0), other=0).to(tl.float32)
    row += ROW
    low_x, share_x, start_x, ratio_x, last_x, low_y, share_y, start_y, ratio_y, last_y = _places(row, x, y)
    shift = frame * chroma_n + tl.load(row + 7).to(tl.int64) * chroma_y + tl.load(row + 6).to(tl.int64) * chroma_x
    code_u, code_v = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    for j in range(0, tl.ceil(2 * ratio_y).to(tl.int32) + 1):
        line = start_y + j
        weight_y = _weight(line, low_y, share_y, ratio_y, last_y)
        for i in range(0, tl.ceil(2 * ratio_x).to(tl.int32) + 1):
            column = start_x + i
            weight = weight_y * _weight(column, low_x, share_x, ratio_x, last_x)
            where = shift + line.to(tl.int32) * chroma_y + column.to(tl.int32) * chroma_x
            is_read = is_px & (weight > 0)
            code_u += weight * tl.load(u + where, mask=is_read, other=0).to(tl.float32)
            code_v += weight * tl.load(v + where, mask=is_read, other=0).to(tl.float32)
    place = result + face.to(tl.int64) * 3 * size * size + px
    for channel in tl.static_range(3):
        value = tl.load(linear + 3 * channel) * code_y + tl.load(linear + 3 * channel + 1) * code_u
        value += tl.load(linear + 3 * channel + 2) * code_v + tl.load(offset + channel)
        tl.store(place + channel * size * size, tl.minimum(tl.maximum(value, 0.0), 1.0), mask=is_px)
