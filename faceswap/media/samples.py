"""The samples of an `av` frame as arrays, in the planar layout that the rest works on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.media.layouts import is_gray, little_endian
from faceswap.types import PlaneLayout


def planes_of(decoded: Any, layout: PlaneLayout, bit_depth: int) -> tuple[NDArray, ...]:
    """Return the planes of a decoded frame: views of its memory where it is planar already, else converted losslessly.

    Args:
        decoded: `av.VideoFrame` of any format that `layouts.planar_name` leads to `layout` from.

    Returns:
        One (h, w) uint8 or uint16 array of code values for each plane; luma, chroma, chroma (or G, B, R), alpha.
    """
    name = decoded.format.name
    if is_gray(name):
        return _planes_of_gray(decoded, layout, bit_depth)
    if name.replace("yuvj", "yuv") != layout.name:
        decoded = decoded.reformat(format=layout.name)
    return tuple(plane_view(plane, bit_depth) for plane in decoded.planes)


def _planes_of_gray(decoded: Any, layout: PlaneLayout, bit_depth: int) -> tuple[NDArray, ...]:
    # Not by swscale, which may stretch the range of gray on its way to YUV.
    if decoded.format.name != little_endian(decoded.format.name):
        decoded = decoded.reformat(format=little_endian(decoded.format.name))
    plane, width = decoded.planes[0], decoded.width
    samples = _lines(plane, bit_depth)[: decoded.height]
    chroma = np.full(layout.chroma_size((decoded.height, width)), 2 ** (bit_depth - 1), samples.dtype)
    if decoded.format.name.startswith("ya"):
        return samples[:, : 2 * width : 2], chroma, chroma, samples[:, 1 : 2 * width : 2]
    return samples[:, :width], chroma, chroma


def plane_view(plane: Any, bit_depth: int) -> NDArray:
    """Return an (h, w) view of an `av` plane's samples, without the padding at line ends."""
    return _lines(plane, bit_depth)[: plane.height, : plane.width]


def _lines(plane: Any, bit_depth: int) -> NDArray:
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    return np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
