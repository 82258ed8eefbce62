"""Dissolves: where one shot melts into the next.

While shot A turns into B, a picture is the mixture (1 - a) A + a B. Its contrast then sags by a (1 - a) |A - B|^2, a
parabola over time, however much A and B move meanwhile. Pans and zooms keep their contrast, and a change of light leaves
the pattern as it was: neither shows that parabola between two unlike ends. All is computed from inner products of
thumbnails, so a frame costs one matrix-vector product. Measured in docs/decisions/0015-shots.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOWS = (0.36, 0.45, 0.57, 0.71, 0.89, 1.12, 1.4, 1.75, 2.2)
"""Seconds from the last picture of A alone to the first of B alone that are tried."""
_STEP = 1 / 31
"""Seconds; of faster clips not every picture is looked at."""
_NUM_SAMPLES = 76
"""Pictures kept: enough for the longest window."""
_MIN_INSIDE = 3
_QUIET = 0.2
"""Seconds without another candidate after which a dissolve is over: the new shot is seen alone."""

_MIN_DIFFERENCE = 5.0
"""Of the two ends, per cent of full scale, root mean square without their means."""
_MAX_LIKENESS = 0.7
"""Correlation of the two ends; 0.58 at most in 98 % of pairs of real shots, above 0.9 when only the light changes."""
_MIN_EVENNESS = 0.02
"""Lower contrast (a variance) of the two ends over the higher one; a fade to black ends with next to none."""
_MAX_DETAIL_LIKENESS = 0.5
"""Correlation of the two ends' details; a lamp that moves changes large areas but leaves the details where they are."""
_DETAIL_PX = 5
_SAG = (0.75, 1.35)
"""Measured sag over expected sag; pans have about 0, fades through black about 2."""
_MIN_FIT = 0.9
"""Share of the contrast's course that the parabola explains."""
_MAX_BEND = 0.15
"""Mean distance of the mixture's weight from a straight line over time; a cut in the middle has 0.25."""
_MAX_RESIDUAL = 0.45
"""Mean distance of the pictures from the mixture of the two ends, over the distance of the ends; what moves adds to it."""
_ALIKE, _STRICTNESS = 0.3, 0.55
"""Above this likeness the largest residual falls so steeply: a person who sways before a plain wall looks like a mixture
of two poses."""


@dataclass(frozen=True, slots=True)
class Dissolve:
    """One dissolve: from the last picture of the old shot alone to the first of the new one alone."""

    start: float
    """Seconds; likewise `middle` and `stop`."""
    middle: float
    stop: float
    score: float


class DissolveDetector:
    """Looks for dissolves in thumbnails as they come; keeps about two seconds of them."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._slots: list[int] = []
        """Row of each kept picture in the two arrays below, oldest first; parallel to `_times`."""
        self._pictures: NDArray[np.float32] | None = None
        self._shape = (0, 0)
        self._products = np.zeros((_NUM_SAMPLES, _NUM_SAMPLES), dtype=np.float32)
        self._candidates: list[Dissolve] = []
        """Windows that look like a dissolve, since the last settled one."""

    def add(self, thumbnail: NDArray[np.float32], seconds: float) -> Dissolve | None:
        """Take the next picture; return a dissolve when one has been settled.

        Args:
            thumbnail: (h, w) float32 luma, per cent of full scale.
            seconds: its time; rising.
        """
        if self._times and seconds - self._times[-1] < _STEP:
            return None
        self._keep(thumbnail, seconds)
        found = [each for each in map(self._look_back, _WINDOWS) if each is not None]
        last = self._candidates[-1].stop if self._candidates else seconds
        settled = self.finish() if seconds > last + _QUIET else None
        self._candidates += found
        return settled

    def finish(self) -> Dissolve | None:
        """Return the dissolve that still waited to be settled."""
        candidates, self._candidates = self._candidates, []
        return max(candidates, key=lambda candidate: candidate.score, default=None)

    def _keep(self, thumbnail: NDArray[np.float32], seconds: float) -> None:
        if self._pictures is None:
            self._shape = thumbnail.shape
            self._pictures = np.zeros((_NUM_SAMPLES, thumbnail.size), dtype=np.float32)
        is_full = len(self._slots) == _NUM_SAMPLES
        slot = self._slots.pop(0) if is_full else len(self._slots)
        if is_full:
            self._times.pop(0)
        flat = thumbnail.ravel()
        self._pictures[slot] = flat - flat.mean()
        products = self._pictures @ self._pictures[slot] / flat.size
        self._products[slot], self._products[:, slot] = products, products
        self._slots.append(slot)
        self._times.append(seconds)

    def _look_back(self, window: float) -> Dissolve | None:
        """Return the dissolve that ends with the newest picture and lasted `window` seconds, if there is one."""
        times, stop = self._times, self._times[-1]
        first = int(np.searchsorted(times, stop - window - 1e-3))
        if len(times) - first < _MIN_INSIDE + 2 or stop - times[first] < 0.8 * window:
            return None
        old, new = self._slots[first], self._slots[-1]
        product = self._products.item
        old_contrast, new_contrast, likeness = product(old, old), product(new, new), product(old, new)
        difference = old_contrast + new_contrast - 2 * likeness
        if difference < _MIN_DIFFERENCE**2 or likeness > _MAX_LIKENESS * (old_contrast * new_contrast) ** 0.5:
            return None
        if min(old_contrast, new_contrast) < _MIN_EVENNESS * max(old_contrast, new_contrast):
            return None
        middle = self._slots[(first + len(times) - 1) // 2]
        if (old_contrast + new_contrast) / 2 - product(middle, middle) < 0.4 * _SAG[0] * difference / 4:
            return None  # cheap refusal of nearly everything
        return self._fit(first, difference)

    def _fit(self, first: int, difference: float) -> Dissolve | None:
        slots = np.array(self._slots[first:])
        times = np.array(self._times[first:])
        rows = self._products[np.ix_(slots, slots)].astype(np.float64)
        weight = (times - times[0]) / (times[-1] - times[0])
        contrast, with_old, with_new = np.diagonal(rows), rows[:, 0], rows[:, -1]
        sag = (1 - weight) * contrast[0] + weight * contrast[-1] - contrast
        parabola = weight * (1 - weight) * difference
        ratio = float(sag @ parabola / (parabola @ parabola))
        fit = 1 - float(((sag - ratio * parabola) ** 2).sum() / (sag**2).sum())
        mixed = (with_new - with_old - with_new[0] + contrast[0]) / difference
        inside = slice(1, -1)
        bend = float(np.abs(mixed - weight)[inside].mean())
        away = (
            contrast
            + ((1 - weight) ** 2) * contrast[0]
            + weight**2 * contrast[-1]
            + 2 * weight * (1 - weight) * (rows[0, -1])
        )
        away = away - 2 * (1 - weight) * with_old - 2 * weight * with_new
        residual = float(np.sqrt(np.maximum(away[inside], 0) / difference).mean())
        likeness = float(rows[0, -1] / (contrast[0] * contrast[-1]) ** 0.5)
        largest = _MAX_RESIDUAL - _STRICTNESS * max(0.0, likeness - _ALIKE)
        is_mixture = _SAG[0] <= ratio <= _SAG[1] and fit >= _MIN_FIT
        if not is_mixture or bend > _MAX_BEND or residual > largest:
            return None
        if self._detail_likeness(slots[0], slots[-1]) > _MAX_DETAIL_LIKENESS:
            return None
        score = difference**0.5 * (1 - residual) * (1 - bend) * fit
        return Dissolve(float(times[0]), _crossing(times, mixed), float(times[-1]), score)

    def _detail_likeness(self, old: int, new: int) -> float:
        assert self._pictures is not None
        a, b = (_detail(self._pictures[slot].reshape(self._shape)) for slot in (old, new))
        return float((a * b).sum() / max(1e-9, float(np.linalg.norm(a) * np.linalg.norm(b))))


def _detail(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a picture holds besides its large areas."""
    return picture - cv2.blur(picture, (_DETAIL_PX, _DETAIL_PX), borderType=cv2.BORDER_REFLECT)


def _crossing(times: NDArray[np.float64], mixed: NDArray[np.float64]) -> float:
    """Return the time at which both shots weigh the same; where noise makes it cross often, the middle of them."""
    share = np.clip(mixed, 0, 1)
    # The area under the weight's course is the time since the crossing, for any symmetrical course.
    area = float(((share[1:] + share[:-1]) / 2 * np.diff(times)).sum())
    return float(times[-1] - area)
