"""The footage's grain on the swapped face: networks average it out, and a clean face in a grainy picture gives the swap away.

The noise of the target's skin is measured at three scales and in each plane (`grain_seen`), noise of the same strengths is laid
over the pasted face only. It follows from frame and track alone, so that a frame comes out the same whenever and wherever it is
rendered.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.convert.grain_seen import NUM_LEVELS, UNSEEN, GrainSeen, shared_texture
from faceswap.figures.detail import noise_levels
from faceswap.types import Face, Frame

_FOLLOW = 0.08
_TILE = 512
_SIZES = (0.0, 0.4, 0.55, 0.7, 0.85, 1.0, 1.25, 1.6, 2.0)
"""Deviations (px) of the Gaussians that white noise is blurred by. The noise that is added is a sum of two of them."""
_WEIGHTS = np.array([1.0, 1.0, 0.4])
"""Of the three resolutions in the fit: at a quarter few samples speak, and light and texture with them."""
_MAX_COARSE = 1.5
"""Noise at lower resolutions that is believed, over that at full, as long as no two frames tell it from the skin's texture."""


@dataclass(frozen=True, slots=True)
class Grain:
    """Noise for one face in one frame."""

    planes: tuple[tuple[tuple[int, float], ...], ...]
    """For luma and both chroma planes (or luma alone): sizes of noise by number (`_SIZES`) and deviations, luma [0, 1]."""
    seed: int
    chroma_shift: tuple[int, int] = (0, 0)
    """Of the footage (x, y): in pictures of finer chroma the noise is enlarged."""

    def codes(self, shape: tuple[int, int], frame: Frame, plane: int = 0) -> NDArray[np.float32] | None:
        """Return (h, w) noise in code values of a plane of the frame; None where there is none.

        Args:
            plane: 0 = luma (and any plane of RGB), 1 and 2 = chroma.
        """
        if plane >= len(self.planes) or not self.planes[plane]:
            return None
        finer = [
            max(0, a - b) if plane else 0 for a, b in zip(self.chroma_shift, frame.layout.chroma_shift, strict=True)
        ]
        size = (-(-shape[0] >> finer[1]), -(-shape[1] >> finer[0])) if any(finer) else shape
        noise = np.zeros(size, dtype=np.float32)
        for number, strength, (y, x) in self.parts(plane):
            rows, columns = ((np.arange(n) + start) % _TILE for n, start in zip(size, (y, x), strict=True))
            noise += np.float32(strength) * tiles()[number][rows[:, None], columns]
        if any(finer):
            noise = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return noise * np.float32(color.code_scale(frame.color).linear[0, 0])

    def parts(self, plane: int) -> list[tuple[int, float, tuple[int, int]]]:
        """Return what the noise of a plane is the sum of: number of the tile, deviation, where in it the noise begins (y, x)."""
        random = np.random.default_rng((self.seed, plane))
        of_plane = self.planes[plane] if plane < len(self.planes) else ()
        return [(number, strength, tuple(random.integers(0, _TILE, 2))) for number, strength in of_plane]


def seed_of(frame: int, face: Face) -> int:
    """Return the seed of the noise over a face."""
    return zlib.crc32(np.round(face.box, 3).tobytes() + frame.to_bytes(8) + (face.track + 1).to_bytes(8))


@lru_cache(maxsize=1)
def tiles() -> tuple[NDArray[np.float32], ...]:
    """Return noise of deviation 1 of each size, that repeats without a seam."""
    white = np.random.default_rng(20).normal(0, 1, (len(_SIZES), _TILE, _TILE)).astype(np.float32)
    room, tiles = 8, []
    for plane, sigma in zip(white, _SIZES, strict=True):
        if sigma:
            plane = cv2.GaussianBlur(np.pad(plane, room, mode="wrap"), (0, 0), sigma)[room:-room, room:-room]
        tiles.append(plane / plane.std())
    return tuple(tiles)


@lru_cache(maxsize=1)
def _energies() -> NDArray[np.float64]:
    """Return (sizes, levels): what unit noise of each size reads, squared."""
    everywhere = np.ones((_TILE, _TILE), dtype=bool)
    return np.stack([noise_levels(tile, everywhere, NUM_LEVELS) for tile in tiles()]) ** 2


def fitted(energies: NDArray[np.float64]) -> tuple[tuple[int, float], ...]:
    """Return the one or two sizes of noise, with their deviations, that together read most like `energies`.

    Args:
        energies: (3,) squared noise at full resolution, half and a quarter; NaN = unknown.
    """
    known = np.isfinite(energies)
    weight = _WEIGHTS[known]
    relative = _energies()[:, known] / np.maximum(energies[known], 1e-12) * weight
    # Least squares for each pair of sizes: x a + y b = weight at every level. Where a share is negative the other stands alone.
    first, second = np.triu_indices(len(_SIZES), 1)
    a, b = relative[first], relative[second]
    aa, bb, ab, a1, b1 = (a * a).sum(1), (b * b).sum(1), (a * b).sum(1), a @ weight, b @ weight
    determinant = np.maximum(aa * bb - ab * ab, 1e-12)
    x, y = (bb * a1 - ab * b1) / determinant, (aa * b1 - ab * a1) / determinant
    x, y = np.where(y < 0, a1 / aa, np.where(x < 0, 0, x)), np.where(x < 0, b1 / bb, np.where(y < 0, 0, y))
    best = int(np.abs(x[:, None] * a + y[:, None] * b - weight).max(axis=1).argmin())
    shares = ((int(first[best]), float(x[best])), (int(second[best]), float(y[best])))
    return tuple((number, float(np.sqrt(share))) for number, share in shares if share > 0)


@dataclass(slots=True)
class _Track:
    """What is known of a track's grain."""

    last: GrainSeen | None = None
    energies: NDArray[np.float64] | None = None
    """(planes, levels) mean squared noise."""
    is_told_apart: bool = False
    """The energies come from pairs of frames, which tell noise from texture."""
    count: int = 0


@dataclass(slots=True)
class GrainMatcher:
    """Keeps the grain of each track, steadily over time."""

    _tracks: dict[Hashable, _Track] = field(default_factory=dict)

    def observe(self, key: Hashable, seen: GrainSeen) -> None:
        """Take in what one frame shows of a track's grain (`grain_seen.look`); frames come in their order."""
        if not np.isfinite(seen.levels[0, 0]):
            return
        track = self._tracks.setdefault(key, _Track())
        texture = shared_texture(track.last, seen) if track.last is not None else None
        track.last = seen
        energies = np.square(seen.levels)
        if texture is None:
            if track.is_told_apart and seen.is_visible:
                return
            energies = np.minimum(energies, _MAX_COARSE**2 * energies[:, :1])
        else:
            energies[0] *= 1 - texture
            if not track.is_told_apart:
                track.is_told_apart, track.count = True, 0
        track.count += 1
        weight = max(_FOLLOW, 1 / track.count)  # a plain mean at first
        before = energies if track.energies is None else np.where(np.isnan(track.energies), energies, track.energies)
        energies = np.where(np.isnan(energies), before, energies)  # a face far away tells little of chroma
        track.energies = before + weight * (energies - before)

    def grain_of(self, key: Hashable, frame: int, face: Face) -> Grain | None:
        """Return the noise to add to a face; None when the footage has none that is seen."""
        track = self._tracks.get(key)
        if track is None or track.energies is None or track.last is None:
            return None
        planes = tuple(fitted(of) if np.any(of[:2] >= UNSEEN**2) else () for of in track.energies)
        if not any(planes):
            return None
        return Grain(planes, seed_of(frame, face), track.last.chroma_shift)
