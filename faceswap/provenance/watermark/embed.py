"""Writing the watermark: on the planes of a frame, as strong as the picture at each place hides it.

The same arithmetic on a CUDA device: `embed_torch`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import ShapeError
from faceswap.provenance.watermark.pattern import EPOCH_SECONDS, TILE, scale_for, shift_at, tile_of
from faceswap.provenance.watermark.payload import Payload
from faceswap.types import ColorInfo, Frame

STRENGTH = 1.25
"""Standard deviation of the mark in 8-bit steps where the picture has ordinary detail."""
ORDINARY = 4.5
"""Standard deviation of luma, 8-bit steps, around a sample in such a place."""
LIMITS = (0.7, 1.8)
"""Least and most of the strength, in flat and in busy places."""
DARK = 24.0
"""Steps above black from which on the mark has its full strength; black itself stays black."""
BLOCK = 4
"""Detail is measured in blocks of so many px a side, and around each in its neighbours: enough, and quick."""

Rectangle = tuple[slice, slice]
"""Rows and columns of a plane."""


class LumaMarker:
    """Marks frames with one payload."""

    def __init__(self, payload: Payload) -> None:
        self._tile = tile_of(payload.code_word())
        self._periods: dict[int, NDArray[np.float32]] = {}

    def mark(self, frame: Frame, alpha: NDArray[np.float32] | None = None) -> Frame:
        """Return a frame with the mark.

        Args:
            alpha: (h, w) [0, 1] of the luma plane: how strong, 0 = leave the sample as it is. None = 1 everywhere.

        Returns:
            A new frame, same layout and time. Samples where `alpha` is 0, and chroma, are bit-identical.

        Raises:
            ShapeError: `alpha` is not of the frame's size.
        """
        if alpha is not None and alpha.shape != frame.size:
            raise ShapeError(f"alpha is {alpha.shape}, but the frame {frame.size}; both must have one size")
        where = whole(frame.size) if alpha is None else support(alpha)
        if where is None:
            return frame
        # RGB: the same step in all three planes is that step in luma.
        count = 3 if frame.layout.is_rgb else 1
        luma = frame.planes[0][where].astype(np.float32) if count == 1 else _mean(frame.planes[:3], where)
        step = self.pattern(where, epoch_of(frame), scale_for(frame.size)) * strength(luma, frame.color)
        if alpha is not None:
            step *= alpha[where]
        top = 2**frame.color.bit_depth - 1
        planes = [_added(plane, where, step, top) for plane in frame.planes[:count]]
        return replace(frame, planes=(*planes, *frame.planes[count:]))

    def pattern(self, where: Rectangle, epoch: int, scale: int) -> NDArray[np.float32]:
        """Return the pattern in a rectangle of the plane, deviation 1.

        Args:
            scale: by how much the tile is enlarged (`pattern.scale_for`).
        """
        period = self.period(scale)
        moved = [shift * scale for shift in shift_at(epoch)]
        # Cut from a larger picture made of whole periods: several times faster than looking each sample up.
        starts = [(part.start - shift) % len(period) for part, shift in zip(where, moved, strict=True)]
        sides = [part.stop - part.start for part in where]
        counts = [-(-(start + side) // len(period)) for start, side in zip(starts, sides, strict=True)]
        tiled = np.tile(period, counts)
        return tiled[starts[0] : starts[0] + sides[0], starts[1] : starts[1] + sides[1]]

    def period(self, scale: int) -> NDArray[np.float32]:
        """Return the tile enlarged `scale` times, (128 * scale, 128 * scale) float32."""
        if scale not in self._periods:
            # Enlarged beyond its edges, so that it stays periodic.
            wide = cv2.resize(np.tile(self._tile, (3, 3)), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            middle = slice(TILE * scale, 2 * TILE * scale)
            self._periods[scale] = np.ascontiguousarray(wide[middle, middle])
        return self._periods[scale]


def epoch_of(frame: Frame) -> int:
    """Return in which stretch of time a frame lies."""
    return math.floor(frame.time.pts * frame.time.time_base / EPOCH_SECONDS)


def strength(luma: NDArray[np.float32], color: ColorInfo) -> NDArray[np.float32]:
    """Return how strong the mark may be at each sample, in code values.

    Args:
        luma: (h, w) code values.
    """
    unit, black = units(color)
    height, width = luma.shape
    pad_y, pad_x = -height % BLOCK, -width % BLOCK
    padded = cv2.copyMakeBorder(luma, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
    small = (padded.shape[1] // BLOCK, padded.shape[0] // BLOCK)
    mean, square = (
        cv2.blur(cv2.resize(values, small, interpolation=cv2.INTER_AREA), (3, 3), borderType=cv2.BORDER_REPLICATE)
        for values in (padded, padded * padded)
    )
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    # The calmest neighbour counts: beside an edge, and on a soft one, there is nothing to hide in.
    deviation = cv2.erode(deviation, np.ones((3, 3), np.uint8))
    amount = np.clip(deviation / (ORDINARY * unit), *LIMITS) * np.clip((mean - black) / (DARK * unit), 0, 1)
    amount *= STRENGTH * unit
    return cv2.resize(amount.astype(np.float32, copy=False), padded.shape[::-1])[:height, :width]


def units(color: ColorInfo) -> tuple[float, float]:
    """Return the size of an 8-bit step, and black, in code values."""
    unit = 2.0 ** (color.bit_depth - 8)
    return unit, 0.0 if color.full_range or color.matrix == "rgb" else 16 * unit


def whole(size: Sequence[int]) -> Rectangle:
    """Return the rectangle of a whole plane."""
    return slice(0, size[0]), slice(0, size[1])


def support(alpha: NDArray[np.float32]) -> Rectangle | None:
    """Return the rectangle outside which alpha is 0; None = it is 0 everywhere."""
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _mean(planes: Sequence[NDArray], where: Rectangle) -> NDArray[np.float32]:
    return np.mean([plane[where] for plane in planes], axis=0, dtype=np.float32)


def _added(plane: NDArray, where: Rectangle, step: NDArray[np.float32], top: int) -> NDArray:
    values = cv2.add(plane[where], step, dtype=cv2.CV_32F) if plane.dtype == np.uint8 else plane[where] + step
    np.rint(values, out=values)
    np.clip(values, 0, top, out=values)
    result = plane.copy()
    result[where] = values
    return result
