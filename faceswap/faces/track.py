"""Joining detections into tracks by place and looks, within shots.

Frame by frame, a detection goes to the live track that expects it most. When a shot is complete, tracks that end and begin
again (someone was hidden, or looked away) are joined where the place, the size and the looks agree.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.appearance import likeness
from faceswap.faces.base import Detection, overlap
from faceswap.faces.paths import MAX_GAP, to_faces
from faceswap.types import Face, Shot

_MIN_OVERLAP = 0.25
_LOOKS = 0.8
"""How much the likeness of two faces counts beside the overlap of their boxes."""
_MEMORY = 5
"""Detections that say where a track is going; and every so manieth is remembered for its looks."""
_GALLERY = 24
"""Looks of a track that are remembered: people come back as they were seen before, rarely as they were seen last."""
_MAX_AWAY = 75
"""Analysed frames after which someone who comes back gets a new track."""
_MIN_LIKENESS = 0.55
"""Five seconds or less apart, 95 % of faces of one person reach 0.7, 95 % of those of two do not reach 0.5."""
_MAX_SHIFT = 1.2
"""Way from where someone was last seen, or would be by now, to where a track begins that may be theirs; sides of the box."""
_MAX_GROWTH = 1.7


@dataclass(slots=True)
class _Track:
    frames: list[int] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)

    def add(self, frame: int, detection: Detection) -> None:
        self.frames.append(frame)
        self.detections.append(detection)

    def part(self, shot: Shot) -> _Track | None:
        """Return the detections inside a shot; None when there are none."""
        first, after = bisect_left(self.frames, shot.start), bisect_left(self.frames, shot.stop)
        return _Track(self.frames[first:after], self.detections[first:after]) if first < after else None

    def box_at(self, frame: int) -> NDArray[np.float64]:
        """Return where the face should be in a later frame, if it goes on as it went."""
        frames, boxes = self.frames[-_MEMORY:], [d.box for d in self.detections[-_MEMORY:]]
        speed = (_middle(boxes[-1]) - _middle(boxes[0])) / max(1, frames[-1] - frames[0])
        return boxes[-1] + np.tile(speed * (frame - frames[-1]), 2)

    def likeness(self, detections: Sequence[Detection]) -> float:
        """Return how much any of the detections looks as the face did at some time."""
        gallery = [*self.detections[::-_MEMORY][:_GALLERY], self.detections[0]]
        return max(likeness(seen.appearance, d.appearance) for seen in gallery for d in detections)


class Tracker:
    """Collects the detections of a clip, frame by frame.

    Where shots end is known only later (a dissolve, when it is over), so tracks may run across; `split` divides them.
    """

    def __init__(self, step: int = 1) -> None:
        """Start without tracks; `step` is the distance of analysed frames."""
        self._step = step
        self._tracks: list[_Track] = []
        self._live: list[_Track] = []

    def add(self, frame: int, detections: Sequence[Detection]) -> None:
        """Append each detection to the live track that expects it most, or start a new one."""
        self._live = [t for t in self._live if frame - t.frames[-1] <= MAX_GAP * self._step]
        pairs = []
        for i, track in enumerate(self._live):
            places = (track.box_at(frame), track.detections[-1].box)
            for k, detection in enumerate(detections):
                share = max(overlap(box, detection.box) for box in places)
                if share >= _MIN_OVERLAP:
                    pairs.append((share + _LOOKS * track.likeness([detection]), i, k))
        taken = _best_pairs(pairs)
        for i, k in taken:
            self._live[i].add(frame, detections[k])
        for k in {*range(len(detections))} - {k for _, k in taken}:
            track = _Track([frame], [detections[k]])
            self._tracks.append(track)
            self._live.append(track)

    def split(self, shots: Sequence[Shot]) -> list[Tracker]:
        """Return the tracks of each shot, cut at its ends; shots in order, without gaps."""
        parts = [Tracker(self._step) for _ in shots]
        starts = [shot.start for shot in shots]
        for track in self._tracks:
            first, last = (bisect_right(starts, frame) - 1 for frame in (track.frames[0], track.frames[-1]))
            for number in range(first, last + 1):
                inside = track.part(shots[number])
                if inside is not None:
                    parts[number]._tracks.append(inside)
        return parts

    def finish(self, first_number: int, *, min_frames: int = 1) -> list[list[Face]]:
        """Return the aligned, smoothed faces of each person of a shot, numbered from `first_number`.

        Args:
            min_frames: tracks with fewer detections are taken for false alarms.
        """
        kept = [track for track in self._joined() if len(track.frames) >= min_frames]
        return [to_faces(t.frames, t.detections, first_number + i, self._step) for i, t in enumerate(kept)]

    def _joined(self) -> list[_Track]:
        """Return the tracks, those of people who were away for a while made one."""
        tracks = sorted(self._tracks, key=lambda track: track.frames[0])
        pairs = [
            (fit, i, k)
            for i, before in enumerate(tracks)
            for k, after in enumerate(tracks)
            if (fit := self._fit(before, after)) is not None
        ]
        goes_on = dict(_best_pairs(pairs))
        result = []
        for i in range(len(tracks)):
            if i in goes_on.values():
                continue
            whole, number = _Track(), i
            while True:
                whole.frames += tracks[number].frames
                whole.detections += tracks[number].detections
                if number not in goes_on:
                    break
                number = goes_on[number]
            result.append(whole)
        return result

    def _fit(self, before: _Track, after: _Track) -> float | None:
        """Return how well a track goes on another; None when it cannot be the same person, as far as one can see."""
        away = (after.frames[0] - before.frames[-1]) / self._step
        if not 0 < away <= _MAX_AWAY:
            return None
        box, last = after.detections[0].box, before.detections[-1].box
        sides = (_side(last), _side(box))
        expected = (last, before.box_at(after.frames[0]))
        shift = min(float(np.hypot(*(_middle(box) - _middle(place)))) for place in expected) / max(sides)
        if shift > _MAX_SHIFT or max(sides) > _MAX_GROWTH * min(sides):
            return None
        alike = before.likeness(after.detections[: _MEMORY**2 : _MEMORY])  # who comes back may be half hidden at first
        if alike < _MIN_LIKENESS:
            return None
        return alike - 0.5 * shift - 0.3 * away / _MAX_AWAY


def _best_pairs(pairs: list[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """Return (i, k) of the best pairs, each i and each k once."""
    result: list[tuple[int, int]] = []
    taken_i: set[int] = set()
    taken_k: set[int] = set()
    for _, i, k in sorted(pairs, reverse=True):
        if i not in taken_i and k not in taken_k:
            taken_i.add(i)
            taken_k.add(k)
            result.append((i, k))
    return result


def _middle(box: NDArray) -> NDArray[np.float64]:
    return np.asarray(box).reshape(2, 2).mean(axis=0)


def _side(box: NDArray) -> float:
    return float((box[2:] - box[:2]).max())
