"""Finding faces in runs of frames: whole pictures at key frames, small upright crops around the predicted place in between.

A crop shows the face larger than the whole picture does, so its points are finer, and it costs a tenth. Every frame's
points come from a crop; whole pictures only say which faces there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import pi

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.appearance import describe
from faceswap.faces.base import Detection, Detector, non_maximum_suppression, overlap
from faceswap.faces.viewer import JITTER, Place, View, Viewer, moved
from faceswap.types import Frame

# Detectors read faces of 20 to 300 px of their own input well. The sides of the whole picture that are looked at:
_CLOSE_SIDE = 160  # faces that fill the picture, or leave it
_MAIN_SIDE = 640
_FINE_SIDE = 1280  # small ones in large pictures; five times as dear as the rest together
_MIDDLE_SIDE = 320  # what falls between
_QUARTERS = (1, 2, 3)
_CROP_SIDE = 160
_ROOM, _WIDE_ROOM = 2.0, 4.0
"""Side of a crop in sides of the face box: room for motion between key frames; for a second look."""
_TURN_SIDE, _TURN_GAIN = 96, 0.08
"""Crops that tell how a new face is turned, px; how much better than upright another turn's score must be."""
_SAME_FACE, _MAX_DUPLICATE = 0.3, 0.4
_MIN_OVERLAP = 0.1
"""IoU that what is found in a crop must have with the box it was made for."""


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """A detector together with how the clip's pictures are to be looked at."""

    detector: Detector
    viewer: Viewer
    min_face_px: int
    refine: int = 1
    """The points are the mean over so many crops, each placed a little differently."""

    def at_key(
        self, frame: Frame, known: Sequence[Place] = (), *, is_thorough: bool = False, with_turned: bool = False
    ) -> list[Detection]:
        """Return the faces of a frame: known ones where they are expected, new ones wherever they are.

        Args:
            is_thorough: look for small faces of large pictures too.
            with_turned: where no upright face is, look for heads that lie or hang.
        """
        found = self._in_whole(frame, self._sides(frame, is_thorough=is_thorough), self.viewer.roll)
        if not found and not known and with_turned:
            side = _MAIN_SIDE if is_thorough else _MIDDLE_SIDE
            turned = [self._in_whole(frame, (side,), self.viewer.roll + q * pi / 2) for q in _QUARTERS]
            found = self._cleaned([d for detections in turned for d in detections])
        expected = [_seen_again(place, found) for place in known]
        new = [d for d in found if all(overlap(d.box, place.box) < _SAME_FACE for place in expected)]
        places = [*expected, *self._places_of_new(frame, new)]
        in_crops = self.in_crops([frame], [places])[0]
        # Once more, placed by what was found as all other frames' crops are: points depend a little on the crop.
        again = self.in_crops(
            [frame], [[p if d is None else Place.of(d) for p, d in zip(places, in_crops, strict=True)]]
        )[0]
        in_crops = [b if b is not None else a for a, b in zip(in_crops, again, strict=True)]
        lost = [place for place, detection in zip(known, in_crops, strict=False) if detection is None]
        return self._cleaned([*_found(in_crops), *self._look_wider(frame, lost)])

    def in_whole_picture(self, frame: Frame) -> list[Detection]:
        """Return the upright faces that the whole picture shows at the usual scale, best first, points as they come."""
        return self._in_whole(frame, (_MAIN_SIDE,), self.viewer.roll)

    def between(
        self, frames: Sequence[Frame], before: Sequence[Detection], after: Sequence[Detection]
    ) -> list[list[Detection]]:
        """Return the faces of the frames between two key frames whose faces are known."""
        ends = _ends(before, after)
        shares = [(i + 1) / (len(frames) + 1) for i in range(len(frames))]
        expected = [[_on_the_way(a, b, share) for a, b in ends] for share in shares]
        in_crops = self.in_crops(frames, expected)
        lost = [[p for p, d in zip(*pair, strict=True) if d is None] for pair in zip(expected, in_crops, strict=True)]
        again = self.in_crops(frames, lost, room=_WIDE_ROOM)
        # What shows in a wide crop only is small there: once more, from near.
        nearer = self.in_crops(frames, [[Place.of(d) for d in _found(detections)] for detections in again])
        return [self._cleaned([*_found(a), *_found(b)]) for a, b in zip(in_crops, nearer, strict=True)]

    def in_crops(
        self, frames: Sequence[Frame], places: Sequence[Sequence[Place]], *, room: float = _ROOM
    ) -> list[list[Detection | None]]:
        """Return what is at each of the places of each frame; None where no face is. All crops make one batch."""
        is_wide = room > _ROOM
        num_crops = 1 if is_wide else self.refine
        flat = [(frame, place) for frame, of_frame in zip(frames, places, strict=True) for place in of_frame]
        views = [
            self.viewer.around(frame, _shaken(place, number), _CROP_SIDE, room * np.exp(JITTER[number, 0]))
            for frame, place in flat
            for number in range(num_crops)
        ]
        answers = iter(self._detect(views))
        best = (_mean([_best(*next(answers), place, is_wide=is_wide) for _ in range(num_crops)]) for _, place in flat)
        return [[next(best) for _ in of_frame] for of_frame in places]

    def _detect(self, views: Sequence[View]) -> Iterable[tuple[View, list[Detection]]]:
        if not views:
            return []
        return zip(views, self.detector.detect(np.stack([view.pixels for view in views])), strict=True)

    def _sides(self, frame: Frame, *, is_thorough: bool) -> list[int]:
        longest = max(frame.size)
        sides = [_CLOSE_SIDE, _MIDDLE_SIDE, _MAIN_SIDE, _FINE_SIDE] if is_thorough else [_CLOSE_SIDE, _MAIN_SIDE]
        # Pictures are never enlarged, nor shrunk by next to nothing.
        smaller = [side for side in sides if 1.25 * side < longest]
        return [*smaller, longest] if longest <= _FINE_SIDE and len(smaller) < len(sides) else smaller

    def _in_whole(self, frame: Frame, sides: Iterable[int], roll: float) -> list[Detection]:
        """Return what the whole picture shows at several scales, best first."""
        views = [self.viewer.whole(frame, side, roll) for side in sides]
        found = [
            moved(detection, view.frame_from_view)
            for view in views
            for detection in self.detector.detect(view.pixels[None])[0]
        ]
        return self._cleaned(found)

    def _places_of_new(self, frame: Frame, found: Sequence[Detection]) -> list[Place]:
        """Return the places of faces of which nothing is known yet: detectors find turned heads, and misread them."""
        turns = (0, *_QUARTERS)
        places = [Place(d.box, self.viewer.roll + quarter * pi / 2) for d in found for quarter in turns]
        answers = self._detect([self.viewer.around(frame, place, _TURN_SIDE, _ROOM) for place in places])
        best = [_best(view, detections, place) for (view, detections), place in zip(answers, places, strict=True)]
        result = []
        for i in range(0, len(best), len(turns)):
            scores = [0.0 if d is None else d.score for d in best[i : i + len(turns)]]
            turn = int(np.argmax(scores))
            turn = turn if scores[turn] > scores[0] + _TURN_GAIN else 0
            seen = best[i + turn]
            result.append(Place.of(seen) if turn and seen is not None else places[i])
        return result

    def _look_wider(self, frame: Frame, places: Sequence[Place]) -> list[Detection]:
        """Return faces that left their places, or turned on the way."""
        turned = [Place(place.box, place.roll + q * pi / 2) for place in places for q in (0, *_QUARTERS)]
        found = self._cleaned(_found(self.in_crops([frame], [turned], room=_WIDE_ROOM)[0]))
        return _found(self.in_crops([frame], [[Place.of(d) for d in found]])[0])

    def _cleaned(self, detections: list[Detection]) -> list[Detection]:
        large = [d for d in detections if (d.box[2:] - d.box[:2]).max() >= self.min_face_px]
        if not large:
            return []
        keep = non_maximum_suppression(
            np.stack([d.box for d in large]), np.array([d.score for d in large]), _MAX_DUPLICATE
        )
        return [large[i] for i in keep]


def _best(view: View, detections: Sequence[Detection], place: Place, *, is_wide: bool = False) -> Detection | None:
    """Return, in the frame's coordinates, what lies best in the place it was looked for; in wide crops what is nearest."""
    found = [moved(d, view.frame_from_view) for d in detections]
    if is_wide:
        middle = place.box.reshape(2, 2).mean(axis=0)
        fits = [-float(np.hypot(*(d.box.reshape(2, 2).mean(axis=0) - middle))) for d in found]
    else:
        fits = [overlap(d.box, place.box) for d in found]
    if not found or (not is_wide and max(fits) < _MIN_OVERLAP):
        return None
    best = int(np.argmax(fits))
    looks = describe(view.pixels, detections[best].landmarks, detections[best].scheme)
    return replace(found[best], appearance=looks)


def _mean(detections: Sequence[Detection | None]) -> Detection | None:
    """Return the mean of what several crops of one face show."""
    seen = [d for d in detections if d is not None]
    if len(seen) < 2:
        return seen[0] if seen else None
    box, landmarks = (np.mean([getattr(d, name) for d in seen], axis=0) for name in ("box", "landmarks"))
    return replace(seen[0], box=box, landmarks=landmarks, score=float(np.mean([d.score for d in seen])))


def _shaken(place: Place, number: int) -> Place:
    _, turn, *shift = JITTER[number]
    side = (place.box[2:] - place.box[:2]).max()
    return Place(place.box + np.tile(shift, 2) * side, place.roll + turn)


def _found(detections: Iterable[Detection | None]) -> list[Detection]:
    return [d for d in detections if d is not None]


def _seen_again(place: Place, found: Sequence[Detection]) -> Place:
    """Return the place, moved to where the whole picture shows its face."""
    best = max(found, key=lambda d: overlap(d.box, place.box), default=None)
    is_there = best is not None and overlap(best.box, place.box) > _SAME_FACE
    return Place(best.box, place.roll) if is_there and best is not None else place


def matched(before: Sequence[NDArray], after: Sequence[NDArray]) -> list[tuple[int, int]]:
    """Return pairs of boxes of the same faces in two frames, as positions in both lists."""
    pairs = [(overlap(a, b), i, k) for i, a in enumerate(before) for k, b in enumerate(after)]
    result: list[tuple[int, int]] = []
    for score, i, k in sorted(pairs, reverse=True):
        if score > _SAME_FACE and all(i != other_i and k != other_k for other_i, other_k in result):
            result.append((i, k))
    return result


def _ends(before: Sequence[Detection], after: Sequence[Detection]) -> list[tuple[Place, Place]]:
    """Return start and end of each face; a face seen at one end only is expected to stay where it was."""
    starts, stops = [Place.of(d) for d in before], [Place.of(d) for d in after]
    pairs = matched([p.box for p in starts], [p.box for p in stops])
    ends = [(starts[i], stops[k]) for i, k in pairs]
    ends += [(p, p) for i, p in enumerate(starts) if all(i != pair[0] for pair in pairs)]
    return ends + [(p, p) for k, p in enumerate(stops) if all(k != pair[1] for pair in pairs)]


def _on_the_way(a: Place, b: Place, share: float) -> Place:
    turn = (b.roll - a.roll + pi) % (2 * pi) - pi
    return Place(a.box + share * (b.box - a.box), a.roll + share * turn)
