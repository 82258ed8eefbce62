"""Rounding of code values: to the nearest, or to fewer bits by ordered dither, whose local mean is the value that was meant.

Source of the pattern: Bayer 1973, "An optimum method for two-level rendition of continuous-tone pictures".
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_TILE_BITS = 4
"""The tile is 2^4 px wide: its 256 levels serve exactly for up to 8 bits that are dropped."""
_LEVELS = 4**_TILE_BITS


def code_type(bits: int) -> type[np.uint8] | type[np.uint16]:
    """Return how codes of a bit depth are stored."""
    return np.uint8 if bits == 8 else np.uint16


def shifted_up(plane: NDArray, shift: int) -> NDArray:
    """Add low bits, all 0."""
    return plane.astype(np.uint16) << shift


def shifted_down(plane: NDArray, bits: int, to_bits: int) -> NDArray:
    """Drop low bits in integers. Codes that need no rounding come out exactly; the others are dithered."""
    shift = bits - to_bits
    wide = plane.astype(np.uint32) if bits == 16 else plane
    result = _plus_rows(wide, _integer_rows(shift, plane.shape[1]))
    np.minimum(result, 2**bits - 1, out=result)
    result >>= shift
    return result.astype(code_type(to_bits))


def quantise(values: NDArray[np.float32], bits: int, to_bits: int) -> NDArray:
    """Round real code values of `to_bits`, dithered when they came from more `bits`.

    Returns:
        uint8 or uint16, clipped to [0, 2^to_bits - 1].
    """
    top = 2**to_bits - 1
    if to_bits < bits:
        rounded = _plus_rows(values, _real_rows(values.shape[1]))
        np.floor(rounded, out=rounded)
    else:
        rounded = np.rint(values)
    return np.clip(rounded, 0, top, out=rounded).astype(code_type(to_bits))


@lru_cache(maxsize=1)
def bayer_tile() -> NDArray[np.uint16]:
    """Return the (16, 16) threshold matrix with each of 0..255 once."""
    tile = np.zeros((1, 1), dtype=np.uint16)
    for _ in range(_TILE_BITS):
        tile = np.block([[4 * tile, 4 * tile + 2], [4 * tile + 3, 4 * tile + 1]])
    return tile


def _plus_rows(plane: NDArray, rows: NDArray) -> NDArray:
    """Return an (h, w) plane plus (16, w) rows that repeat downwards, without a second plane made of them."""
    result = np.empty(plane.shape, np.result_type(plane, rows))
    height, width = plane.shape
    whole = height - height % len(rows)
    blocks = (-1, len(rows), width)
    np.add(plane[:whole].reshape(blocks), rows, out=result[:whole].reshape(blocks))
    np.add(plane[whole:], rows[: height - whole], out=result[whole:])
    return result


@lru_cache(maxsize=8)
def _integer_rows(shift: int, width: int) -> NDArray[np.uint16]:
    """Return (16, width) thresholds 0..2^shift - 1."""
    return _wide(bayer_tile() >> (2 * _TILE_BITS - shift), width)


@lru_cache(maxsize=8)
def _real_rows(width: int) -> NDArray[np.float32]:
    """Return (16, width) thresholds in (0, 1), mean 1/2."""
    return _wide(((bayer_tile() + 0.5) / _LEVELS).astype(np.float32), width)


def _wide(tile: NDArray, width: int) -> NDArray:
    return np.tile(tile, (1, -(-width // 2**_TILE_BITS)))[:, :width]
