"""The tile that is added to luma: 128 x 128, periodic, noise of the sizes between 5 and 21 px.

Each cosine and each sine wave of the band carries either a part of the sync pattern, which is always the same and shows where
tiles lie, or one bit of the code word. Places and signs come from SHAKE-256: the same on every machine and in every version.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceswap.provenance.watermark.payload import CODE_BITS

TILE = 128
BAND = (6.0, 26.0)
"""Cycles per tile: slower is seen as blotches, faster is what codecs and resizing take away."""
_SYNC_SHARE = 0.17
"""Of the waves: a place must be recognised among millions, a bit only as 0 or 1."""
EPOCH_SECONDS = 1.0
"""How long the pattern stands still; shorter costs codecs bits and is therefore removed, longer repeats what is no mark."""
STEP = (53, 37)
"""(y, x) px that the tile moves on at each epoch. A steady step, so that a copy cut anywhere is only shifted as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """The waves of the band, in the order of their use."""

    row: NDArray[np.intp]
    """(N,) index into the rows of `rfft2` of a tile."""
    column: NDArray[np.intp]
    is_sine: NDArray[np.bool_]
    sign: NDArray[np.float64]
    """(N,) +1 or -1."""
    num_sync: int
    """The first of them are the sync pattern; wave `num_sync + i` carries bit `i % 127`."""

    @property
    def bit(self) -> NDArray[np.intp]:
        """(N - num_sync,) bit carried by each wave that is not of the sync pattern."""
        return np.arange(len(self.row) - self.num_sync) % CODE_BITS

    def spectrum(self, values: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the (128, 65) `rfft2` of a tile in which the first waves have these amplitudes.

        Args:
            values: (M,) of the first M waves, before their signs.
        """
        spectrum = np.zeros((TILE, TILE // 2 + 1), dtype=np.complex128)
        count = len(values)
        phase = np.where(self.is_sine[:count], 1j, 1.0)
        np.add.at(spectrum, (self.row[:count], self.column[:count]), values * self.sign[:count] * phase)
        return spectrum


@lru_cache(maxsize=1)
def waves() -> Waves:
    """Return the waves; the same always."""
    rows, columns = np.meshgrid(np.fft.fftfreq(TILE, 1 / TILE), np.arange(TILE // 2), indexing="ij")
    radius = np.hypot(rows, columns)
    # Of the waves without horizontal frequency the negative ones are mirror images.
    in_band = (radius >= BAND[0]) & (radius <= BAND[1]) & ((columns > 0) | (rows > 0))
    row, column = (np.repeat(index, 2) for index in np.nonzero(in_band))
    is_sine = np.arange(len(row)) % 2 == 1
    random = np.frombuffer(hashlib.shake_256(b"faceswap watermark 1").digest(5 * len(row)), dtype=np.uint8)
    order = np.argsort(random[: 4 * len(row)].view(">u4"), kind="stable")
    sign = np.where(random[4 * len(row) :] & 1, 1.0, -1.0)
    num_bits = int(len(row) * (1 - _SYNC_SHARE)) // CODE_BITS * CODE_BITS
    return Waves(row[order], column[order], is_sine[order], sign, len(row) - num_bits)


def tile_of(code_word: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the tile of a code word.

    Args:
        code_word: (127,) bits.

    Returns:
        (128, 128) float32, mean 0, standard deviation 1.
    """
    all_waves = waves()
    values = np.concatenate([np.ones(all_waves.num_sync), 2.0 * code_word[all_waves.bit] - 1])
    tile = np.fft.irfft2(all_waves.spectrum(values), s=(TILE, TILE))
    return (tile / tile.std()).astype(np.float32)


def sync_spectrum() -> NDArray[np.complex128]:
    """Return the (128, 65) `rfft2` of the sync pattern alone; any scale."""
    return waves().spectrum(np.ones(waves().num_sync))


def shift_at(epoch: int) -> tuple[int, int]:
    """Return the (y, x) px by which the tile is moved in an epoch."""
    return STEP[0] * epoch % TILE, STEP[1] * epoch % TILE


def scale_for(size: tuple[int, int]) -> int:
    """Return by how much the tile is enlarged in a picture of (h, w) px.

    What is made in 2160p is mostly seen at half the size or less, which fine waves would not survive.
    """
    return max(1, round(min(size) / 1080))
