"""Whole frames as RGB, by our own matrix and with chroma where its samples lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.media.planes import field_of, full_resolution, weave
from faceswap.types import Frame


def rgb_values(frame: Frame, *, is_interlaced: bool = False) -> NDArray[np.float32]:
    """Return (3, h, w) float32 RGB in the clip's own transfer curve.

    1.0 is reference white; what studio range holds above and below stays above 1 and below 0.

    Args:
        is_interlaced: the lines belong to two fields in turn, which are never mixed.
    """
    if is_interlaced and frame.layout.chroma_shift[0]:
        return weave(*(rgb_values(field_of(frame, parity)) for parity in (0, 1)))
    codes = full_resolution(frame.planes, frame.layout, frame.color)
    return color.transform(codes, color.rgb_from_codes(frame.color))


def rgb_codes(values: NDArray[np.float32], bit_depth: int) -> NDArray:
    """Return (h, w, 3) uint8 or uint16 full-range codes of (3, h, w) RGB [0, 1]; what lies outside is clipped.

    Args:
        bit_depth: 8 or 16.
    """
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    codes = np.rint(np.clip(values, 0, 1) * (2**bit_depth - 1)).astype(dtype)
    return np.ascontiguousarray(codes.transpose(1, 2, 0))


def upright(picture: NDArray, upright_from_stored: NDArray | None) -> NDArray:
    """Return a (..., h, w) picture turned or mirrored as a player shows it.

    Args:
        upright_from_stored: (2, 2) right-angle turn or mirror in (x, y), y down; None = as it is.
    """
    if upright_from_stored is None:
        return picture
    turn = np.rint(upright_from_stored).astype(int)
    if turn[0, 0] == 0:  # x and y change places
        picture = np.swapaxes(picture, -1, -2)
        flip_x, flip_y = turn[0, 1] < 0, turn[1, 0] < 0
    else:
        flip_x, flip_y = turn[0, 0] < 0, turn[1, 1] < 0
    return picture[..., :: -1 if flip_y else 1, :: -1 if flip_x else 1]
