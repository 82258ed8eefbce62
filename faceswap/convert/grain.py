"""The footage's grain on the swapped face: networks average it out, and a clean face in a grainy picture gives the swap away.

The noise of the target's skin is measured at two scales and noise of the same two strengths is laid over the pasted face only,
in luma. It follows from frame and track alone, so that a frame comes out the same whenever and wherever it is rendered.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.figures.detail import grain
from faceswap.types import Face, Frame

WINDOW = 64
"""Half the side, px, of the window in the middle of the face in which grain is measured."""
WINDOW_SHARE = 0.22
"""The same in sides of the face box: skin between eyes and mouth."""
FOLLOW = 0.08
UNSEEN = 0.6 / 255
"""Noise at full resolution that nobody sees, twice what rounding leaves; where there is less, none is added."""
TILE = 512
MIN_WINDOW = 12
"""px; a smaller window says nothing."""
_COARSE_SIGMA = 1.0
FINE_AT_HALF = 0.5
COARSE_AT_FULL, COARSE_AT_HALF = 0.0851, 0.3644
"""What `figures.detail.grain` reads off unit noise: white at half resolution, blurred by 1 px at full and at half."""
MAX_COARSE = 1.5
"""Noise at half resolution that is believed, over that at full: beyond, it is the skin's own texture. Very coarse grain is added
too weakly rather than texture for grain."""


@dataclass(frozen=True, slots=True)
class Grain:
    """Noise for one face in one frame."""

    fine: float
    """Deviation of its white part, as luma [0, 1]."""
    coarse: float
    """Deviation of its blurred part."""
    seed: int

    def codes(self, shape: tuple[int, int], frame: Frame) -> NDArray[np.float32]:
        """Return (h, w) noise in code values of the frame's luma."""
        noise = np.zeros(shape, dtype=np.float32)
        for tile, strength, (y, x) in zip(tiles(), (self.fine, self.coarse), tile_starts(self.seed), strict=True):
            rows, columns = ((np.arange(n) + start) % TILE for n, start in zip(shape, (y, x), strict=True))
            noise += np.float32(strength) * tile[rows[:, None], columns]
        return noise * np.float32(color.code_scale(frame.color).linear[0, 0])


def tile_starts(seed: int) -> NDArray[np.int64]:
    """Return (2, 2): where in each of the two tiles the noise of a face begins, y and x."""
    return np.random.default_rng(seed).integers(0, TILE, (2, 2))


def seed_of(frame: int, face: Face) -> int:
    """Return the seed of the noise over a face."""
    return zlib.crc32(np.round(face.box, 3).tobytes() + frame.to_bytes(8) + (face.track + 1).to_bytes(8))


@lru_cache(maxsize=1)
def tiles() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return white and blurred noise of deviation 1 that repeats without a seam."""
    white = np.random.default_rng(20).normal(0, 1, (2, TILE, TILE)).astype(np.float32)
    room = 8
    soft = cv2.GaussianBlur(np.pad(white[1], room, mode="wrap"), (0, 0), _COARSE_SIGMA)[room:-room, room:-room]
    return white[0], soft / soft.std()


class GrainMatcher:
    """Keeps the grain of each track, steadily over time."""

    def __init__(self) -> None:
        self._state: dict[Hashable, NDArray[np.float64]] = {}
        self._count: dict[Hashable, int] = {}

    def observe(self, key: Hashable, seen: tuple[float, float]) -> None:
        """Take in what one frame shows of a track's grain (`measure`)."""
        if not np.isfinite(seen).all():
            return
        new = np.square(seen)
        if key not in self._state:
            self._state[key], self._count[key] = new, 1
            return
        self._count[key] += 1
        weight = max(FOLLOW, 1 / self._count[key])  # a plain mean at first
        self._state[key] = self._state[key] + weight * (new - self._state[key])

    def grain_of(self, key: Hashable, frame: int, face: Face) -> Grain | None:
        """Return the noise to add to a face; None when the footage has none that is seen."""
        state = self._state.get(key)
        if state is None or state[0] < UNSEEN**2:
            return None
        state = np.minimum(state, [np.inf, MAX_COARSE**2 * state[0]])
        # Two equations: what white and blurred noise together read at full and at half resolution.
        system = [[1.0, COARSE_AT_FULL**2], [FINE_AT_HALF**2, COARSE_AT_HALF**2]]
        fine, coarse = np.maximum(np.linalg.solve(system, state), 0)
        return Grain(float(np.sqrt(fine)), float(np.sqrt(coarse)), seed_of(frame, face))


def window_of(size: tuple[int, int], face: Face) -> tuple[int, int, int, int]:
    """Return the rectangle (x0, y0, x1, y1) of a picture of `size` (h, w) in which a face's grain is measured."""
    x, y = face.box.reshape(2, 2).mean(axis=0)
    half = min(WINDOW, int(WINDOW_SHARE * float((face.box[2:] - face.box[:2]).max())))
    rows, columns = (
        slice(max(0, int(at) - half), max(0, int(at) + half)).indices(n)[:2] for at, n in zip((y, x), size, strict=True)
    )
    return columns[0], rows[0], max(columns), max(rows)


def measure(frame: Frame, face: Face) -> tuple[float, float]:
    """Return the noise of a face's middle at full and at half resolution, as luma [0, 1]; NaN = too small to tell."""
    x0, y0, x1, y1 = window_of(frame.size, face)
    window = frame.planes[0][y0:y1, x0:x1].astype(np.float32)
    if min(window.shape) < MIN_WINDOW:
        return float("nan"), float("nan")
    scale = float(color.code_scale(frame.color).linear[0, 0])
    fine, coarse = grain(window, np.ones(window.shape, dtype=bool))
    return fine / scale, coarse / scale
