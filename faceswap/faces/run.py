"""Finding faces along a run of frames without a jump: when the whole picture is looked at, and where the crops lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from faceswap.faces.base import Detection
from faceswap.faces.finder import FaceFinder, matched
from faceswap.faces.refine import Refiner
from faceswap.faces.track import Tracker
from faceswap.faces.viewer import Place
from faceswap.types import Frame

_KEY_STEP = 8
"""Analysed frames from one look at the whole picture to the next."""
_THOROUGH_STEP = 16
"""Key frames from one look for small faces to the next."""
_MAX_PAUSE = 16
"""Key frames after which heads that lie are looked for again, where no face shows; the pauses double up to that."""
_KEEPS_SPEED = 0.7
"""How much of a face's speed between the last two key frames is expected to the next."""


@dataclass(slots=True)
class FaceRun:
    """Finding faces since the last jump of the picture; nothing before it helps to predict where they are."""

    finder: FaceFinder
    refiner: Refiner | None
    tracker: Tracker
    start: int
    """Its first frame."""
    _waiting: list[Frame] = field(default_factory=list)
    _keys: list[list[Detection]] = field(default_factory=list)
    """Faces of the last two key frames."""
    _num_keys: int = 0
    _next_turned: int = 0
    _pause: int = 1

    def add(self, frame: Frame) -> None:
        """Take the next frame; at most a key step of them wait."""
        self._waiting.append(frame)
        if not self._keys or len(self._waiting) == _KEY_STEP:
            self.flush()

    def flush(self) -> None:
        """Detect in the frames that wait; the last of them becomes a key frame."""
        if not self._waiting:
            return
        key = self._find_key(self._waiting[-1])
        between = self._waiting[:-1]
        found = self.finder.between(between, self._keys[-1] if self._keys else [], key) if between else []
        found.append(key)
        if self.refiner is not None:
            found = self.refiner.refined(self._waiting, found)
        for frame, detections in zip(self._waiting, found, strict=True):
            self.tracker.add(frame.index, detections)
        self._keys = [*self._keys[-1:], found[-1]]
        self._num_keys += 1
        self._waiting = []

    def _find_key(self, frame: Frame) -> list[Detection]:
        is_time_to_turn = self._num_keys >= self._next_turned
        key = self.finder.at_key(
            frame,
            self._expected(),
            is_thorough=self._num_keys % _THOROUGH_STEP == 0,
            with_turned=is_time_to_turn,
        )
        if key:
            self._pause, self._next_turned = 1, self._num_keys + 1
        elif is_time_to_turn:
            self._next_turned = self._num_keys + self._pause
            self._pause = min(2 * self._pause, _MAX_PAUSE)
        return key

    def _expected(self) -> list[Place]:
        """Return where the faces of the last key frame should be by now."""
        if not self._keys:
            return []
        places = [Place.of(d) for d in self._keys[-1]]
        for before, after in pairwise(self._keys):
            for i, k in matched([d.box for d in before], [d.box for d in after]):
                places[k] = _moved_on(before[i], after[k])
        return places


def _moved_on(before: Detection, after: Detection) -> Place:
    place = Place.of(after)
    middles = [d.box.reshape(2, 2).mean(axis=0) for d in (before, after)]
    return Place(place.box + np.tile(_KEEPS_SPEED * (middles[1] - middles[0]), 2), place.roll)
