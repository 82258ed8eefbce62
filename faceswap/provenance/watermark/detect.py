"""Finding the watermark without the original: in copies that were re-encoded, resized, cropped, cut or graded.

Sums over epochs (`waves_seen`) are compared with the sync pattern at every shift, for several sizes of the copy; where it
stands out the bits are read. How likely it is that chance did that is counted along.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.provenance.watermark.pattern import TILE, scale_for
from faceswap.provenance.watermark.payload import NUM_VALID, decode
from faceswap.provenance.watermark.waves_seen import (
    PARTS_PER_EPOCH,
    Band,
    Evidence,
    Spectra,
    rectangles,
    sums_over,
)
from faceswap.types import Frame

MAX_FALSE = 1e-6
"""What chance does more often is not reported."""
WINDOW_SECONDS = 10.0
"""Frames are looked at in stretches of so long: bounds memory, and clips may be joined of several."""
COMMON_SIZES = (1.0, 2 / 3, 0.5, 1.5, 2.0, 0.75, 4 / 3)
"""Sizes of copies, relative to what was marked, that are tried first."""
_SIZES = (0.45, 2.2)
_SIZE_STEP = 1.015
_FINE_STEP = 1.003
"""By how much the size may be off over the width of a picture."""
_MIN_SYNC = 5.0
"""Standard deviations by which the sync pattern must stand out before bits are read."""
_PROMISING_SYNC = 6.5
"""Ditto before sizes around are tried."""
_NUM_READ = 6
_QUICK_PARTS = 20
"""Parts of epochs, the first ones, that are looked at for unusual sizes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A watermark."""

    id: int
    """Below 2^40: which conversion."""
    kind: int
    """Version of the payload."""
    bits: int
    """Of its 127 bits, how many were read right before the code corrected the rest."""
    false_positive_rate: float
    """At most so likely is it that unmarked frames would have given this, over everything that was tried."""
    size: float
    """How large the tile is seen, relative to its own 128 px: below 1 in a copy that was made smaller."""


def detect(frames: Iterable[Frame], *, any_size: bool = True) -> Found | None:
    """Return the watermark in some frames; None when there is none that can be trusted.

    About 10 s of a swapped face are needed; less does where the copy is good. Frames are summed as long as they have one
    size and lie within `WINDOW_SECONDS`; the first such stretch with a mark decides.

    Args:
        frames: in order of time; any size and depth.
        any_size: try unusual sizes of the copy too, in the first stretch: takes about a minute where nothing is found.
    """
    search = Search()
    for number, evidence in enumerate(stretches(frames)):
        found = search.run(evidence, any_size=any_size and number == 0)
        if found is not None:
            return found
    return None


def stretches(frames: Iterable[Frame]) -> Iterator[Evidence]:
    """Yield what is gathered from each stretch of frames."""
    evidence, start = Evidence(), 0.0
    for frame in frames:
        seconds = frame.time.seconds
        is_other = frame.size != evidence.size or not 0 <= seconds - start < WINDOW_SECONDS
        if evidence.num_frames and is_other:
            yield evidence
            evidence = Evidence()
        if not evidence.num_frames:
            start = seconds
        evidence.add(frame)
    if evidence.num_frames:
        yield evidence


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A place where the sync pattern stands out."""

    sync: float
    """Standard deviations."""
    shift: tuple[int, int]
    """(y, x) px of the tile."""
    spectrum: Spectra
    """(N,) whitened waves."""


@dataclass(slots=True)
class Search:
    """A search for one mark; counts what it tries."""

    band: Band = field(default_factory=Band)
    num_maps: int = 0
    """Comparisons with the sync pattern, each at 128 x 128 shifts."""
    num_read: int = 0
    """Code words that were decoded."""

    def run(self, evidence: Evidence, *, any_size: bool = True) -> Found | None:
        """Return the mark in what was gathered."""
        own = float(scale_for(evidence.size))
        for size in COMMON_SIZES:
            found, _ = self._at(evidence.sums, evidence.shrink, own * size)
            if found is not None:
                return found
        return self._at_any(evidence, own) if any_size else None

    def _at_any(self, evidence: Evidence, own: float) -> Found | None:
        some = {part: evidence.sums[part] for part in sorted(evidence.sums)[:_QUICK_PARTS]}
        count = math.ceil(math.log(_SIZES[1] / _SIZES[0]) / math.log(_SIZE_STEP))
        for i in range(count + 1):
            size = own * _SIZES[0] * _SIZE_STEP**i
            found, sync = self._at(some, evidence.shrink, size)
            if found is None and sync >= _PROMISING_SYNC:
                steps = range(-4, 5)
                tried = (self._at(evidence.sums, evidence.shrink, size * _FINE_STEP**step)[0] for step in steps)
                found = next((each for each in tried if each is not None), None)
            if found is not None:
                return found
        return None

    def _at(self, sums: Mapping[int, NDArray[np.float32]], shrink: float, size: float) -> tuple[Found | None, float]:
        """Return the mark if the tile is seen at this size, and how far the sync pattern stands out at most."""
        candidates = sorted(self._candidates(sums, 1 / (size * shrink)), key=lambda each: -each.sync)
        for candidate in candidates[:_NUM_READ]:
            found = self._read(candidate, size)
            if found is not None:
                return found, candidate.sync
        return None, candidates[0].sync if candidates else 0.0

    def _candidates(self, sums: Mapping[int, NDArray[np.float32]], factor: float) -> Iterator[_Candidate]:
        """Yield where the sync pattern stands out in sums that are enlarged by `factor`."""
        parts = {part: self.band.tiles(_resized(plane, factor)) for part, plane in sums.items()}
        places = rectangles(*next(iter(parts.values())).shape[:2])
        for phase in range(PARTS_PER_EPOCH):
            spectra = self.band.whitened(sums_over(self.band.over_epochs(parts, phase), places))
            maps = self.band.correlation(spectra)
            self.num_maps += len(maps)
            peaks = maps.reshape(len(maps), -1).argmax(axis=1)
            for spectrum, likeness, peak in zip(spectra, maps, peaks, strict=True):
                y, x = divmod(int(peak), TILE)
                if likeness[y, x] >= _MIN_SYNC:
                    yield _Candidate(float(likeness[y, x]), (y, x), spectrum)

    def _read(self, candidate: _Candidate, size: float) -> Found | None:
        soft = self.band.soft_bits(candidate.spectrum, candidate.shift)
        decoded = decode(soft)
        self.num_read += 1
        if decoded is None:
            return None
        payload, word = decoded
        signs = 2.0 * word - 1
        rate = self._false_rate(candidate.sync, float(signs @ soft / np.linalg.norm(soft)))
        if rate > MAX_FALSE:
            return None
        return Found(payload.id, payload.kind, int((soft * signs > 0).sum()), rate, size)

    def _false_rate(self, sync: float, likeness: float) -> float:
        """Return an upper bound of how often chance does as well.

        Signs of the bits are random where there is no mark. That the sum of `values * signs` of one code word reaches t
        times the root of the sum of squares has then at most the probability exp(-t^2 / 2) (W. Hoeffding, 1963); there are
        `NUM_VALID` code words, at each place that was read. A place was read only because the sync pattern stood out there,
        which is close to normally distributed.

        Args:
            sync: standard deviations. likeness: t.
        """
        by_sync = min(1.0, self.num_maps * TILE * TILE * math.erfc(sync / math.sqrt(2)) / 2)
        return min(1.0, by_sync * self.num_read * NUM_VALID * math.exp(-likeness * likeness / 2))


def _resized(plane: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    if abs(factor - 1) < 1e-6:
        return plane
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(plane, None, fx=factor, fy=factor, interpolation=how)
