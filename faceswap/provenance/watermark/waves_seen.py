"""From frames to the waves of the band: what of a picture could be the mark, summed over time, cut into tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.provenance.watermark.pattern import BAND, EPOCH_SECONDS, STEP, TILE, waves
from faceswap.types import Frame

PARTS_PER_EPOCH = 4
"""Where epochs begin in a copy is not known; it is found to a quarter."""
MAX_SIDE = 1280
"""Larger pictures are made smaller before anything else; the mark of a 2160p picture is coarse enough for that."""
_RINGS = 10
_LIMIT = 3.0

Spectra = NDArray[np.complex64]
"""(..., N) complex numbers of the band's N waves (a cosine and a sine share one)."""
Rectangle = tuple[int, int, int, int]
"""Rows and columns of tiles: first row, first column, end of the rows, end of the columns."""


def residue_of(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what of a plane could be the mark: its fine part divided by the local deviation; (h, w), -3 to 3.

    Args:
        luma: (h, w) in 8-bit steps.
    """
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 4)
    deviation = cv2.sqrt(cv2.sqrBoxFilter(fine, cv2.CV_32F, (15, 15), borderType=cv2.BORDER_REFLECT))
    return np.clip(fine / (deviation + np.float32(1)), -_LIMIT, _LIMIT)


@dataclass(slots=True)
class Evidence:
    """What was gathered from some frames."""

    sums: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """Part of an epoch -> (h, w) sum of residues; sides of at most `MAX_SIDE`."""
    shrink: float = 1.0
    """Size of those sums relative to the frames."""
    size: tuple[int, int] = (0, 0)
    """(h, w) px of the frames."""
    num_frames: int = 0

    def add(self, frame: Frame) -> None:
        """Add a frame, of the size of those before."""
        planes = frame.planes[:3] if frame.layout.is_rgb else frame.planes[:1]
        luma: NDArray[np.float32] = np.mean(planes, axis=0, dtype=np.float32)
        luma = luma / np.float32(2 ** (frame.color.bit_depth - 8))
        self.size, self.shrink = frame.size, min(1.0, MAX_SIDE / max(frame.size))
        if self.shrink < 1:
            luma = cv2.resize(luma, None, fx=self.shrink, fy=self.shrink, interpolation=cv2.INTER_AREA)
        epochs = frame.time.pts * frame.time.time_base / EPOCH_SECONDS
        part = math.floor(epochs * PARTS_PER_EPOCH)
        self.sums[part] = self.sums[part] + residue_of(luma) if part in self.sums else residue_of(luma)
        self.num_frames += 1


class Band:
    """The waves of the band, as they are seen."""

    def __init__(self) -> None:
        every = waves()
        flat = every.row * (TILE // 2 + 1) + every.column
        self._flat, self._of_wave = np.unique(flat, return_inverse=True)
        row, self._x = self._flat // (TILE // 2 + 1), self._flat % (TILE // 2 + 1)
        self._y = np.where(row > TILE // 2, row - TILE, row)
        radius = np.hypot(self._y, self._x)
        self._ring = np.clip((radius - BAND[0]) / (BAND[1] - BAND[0]) * _RINGS, 0, _RINGS - 1).astype(int)
        self._sync = np.conj(every.spectrum(np.ones(every.num_sync))[row, self._x]).astype(np.complex64)

    def tiles(self, plane: NDArray[np.float32]) -> Spectra:
        """Return (rows, columns, N) of each tile of a plane; what is missing at its right and lower edge counts as 0."""
        rows, columns = (-(-side // TILE) for side in plane.shape)
        padded = np.zeros((rows * TILE, columns * TILE), dtype=np.float32)
        padded[: plane.shape[0], : plane.shape[1]] = plane
        spectra = np.fft.rfft2(padded.reshape(rows, TILE, columns, TILE).swapaxes(1, 2))
        return spectra.reshape(rows, columns, -1)[:, :, self._flat].astype(np.complex64)

    def over_epochs(self, parts: Mapping[int, Spectra], phase: int) -> Spectra:
        """Return the sum over time, each part turned back by the steps that the tile made up to its epoch.

        Args:
            phase: parts by which the first epoch began earlier.
        """
        total = np.zeros_like(next(iter(parts.values())))
        for part, spectra in parts.items():
            epoch = (part + phase) // PARTS_PER_EPOCH
            total += spectra * self._turned((STEP[0] * epoch, STEP[1] * epoch))
        return total

    def whitened(self, spectra: Spectra) -> Spectra:
        """Return (M, N) divided by what is usual among waves of about the same length: pictures have more of the long."""
        result = np.zeros_like(spectra)
        for ring in range(_RINGS):
            members = self._ring == ring
            size = np.sqrt(np.mean(np.abs(spectra[:, members]) ** 2, axis=1, keepdims=True))
            result[:, members] = np.divide(spectra[:, members], size, out=result[:, members], where=size > 0)
        return result

    def correlation(self, spectra: Spectra) -> NDArray[np.float32]:
        """Return the (M, 128, 128) likeness of (M, N) whitened waves to the sync pattern at each shift; deviation 1."""
        full = np.zeros((len(spectra), TILE * (TILE // 2 + 1)), dtype=np.complex64)
        full[:, self._flat] = spectra * self._sync
        maps = np.fft.irfft2(full.reshape(len(spectra), TILE, -1), s=(TILE, TILE))
        return maps / np.maximum(maps.std(axis=(1, 2), keepdims=True), 1e-12)

    def soft_bits(self, spectrum: Spectra, shift: tuple[int, int]) -> NDArray[np.float64]:
        """Return (127,) bits, positive = 1, of (N,) whitened waves; `shift` (y, x) px is where the tile lies."""
        every = waves()
        turned = (spectrum * self._turned(shift))[self._of_wave]
        values = np.where(every.is_sine, turned.imag, turned.real) * every.sign
        return np.bincount(every.bit, weights=values[every.num_sync :]).astype(np.float64)

    def _turned(self, shift: tuple[int, int]) -> NDArray[np.complex64]:
        """Return the (N,) factors that move a tile back by (y, x) px."""
        turns = (self._y * shift[0] + self._x * shift[1]) % TILE
        return np.exp(2j * np.pi / TILE * turns).astype(np.complex64)


def rectangles(rows: int, columns: int) -> list[Rectangle]:
    """Return the rectangles of tiles that are looked at: the mark may fill the picture, or be on one face."""
    found = {(0, 0, rows, columns)}
    for height, width in ((1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (2, 3), (3, 3), (4, 3), (4, 4)):
        for y in range(rows - height + 1):
            found |= {(y, x, y + height, x + width) for x in range(columns - width + 1)}
    return sorted(found)


def sums_over(tiles: Spectra, places: Sequence[Rectangle]) -> Spectra:
    """Return (M, N): sums over M rectangles of (rows, columns, N)."""
    rows, columns, count = tiles.shape
    total = np.zeros((rows + 1, columns + 1, count), dtype=np.complex64)
    total[1:, 1:] = tiles.cumsum(axis=0).cumsum(axis=1)
    return np.stack([total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0] for y0, x0, y1, x1 in places])
