"""Which of the faces found are to be swapped, given who becomes whom."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from faceswap.convert.casting import Casting
from faceswap.convert.range import FrameChoice, Ranges
from faceswap.errors import NoFaceError
from faceswap.faces.index import FaceIndex
from faceswap.faces.samples import faces_by_track
from faceswap.types import Face

_MAX_SIZE_RATIO = 1.8
_MAX_DISTANCE = 1.5
"""Between the ends of two tracks of one person, in sides of the face, plus as much again for each second apart."""
_FRAMES_PER_DISTANCE = 25
EVERYTHING = FrameChoice()


def main_tracks(index: FaceIndex) -> set[int]:
    """Return the tracks of each shot's main person: whose boxes fill most of the picture over time.

    When the detector lost that person for a while, the tracks before and after are both theirs: they do not overlap in
    time and meet in place and size.
    """
    by_shot: dict[int, dict[int, list[Face]]] = defaultdict(lambda: defaultdict(list))
    for face in index.faces:
        by_shot[index.shot_of(face.frame)][face.track].append(face)
    chosen: set[int] = set()
    for tracks in by_shot.values():
        by_area = sorted(tracks.values(), key=lambda faces: -sum(_side(face) ** 2 for face in faces))
        person = [by_area[0]]
        for faces in by_area[1:]:
            if _continues(faces, person):
                person.append(faces)
        chosen |= {faces[0].track for faces in person}
    return chosen


def _side(face: Face) -> float:
    return float(np.sqrt(np.prod(np.maximum(face.box[2:] - face.box[:2], 0))))


def _continues(faces: Sequence[Face], person: Sequence[Sequence[Face]]) -> bool:
    """True when a track fits into the gaps of a person's tracks and near the end of the nearest one."""
    if any(faces[0].frame <= other[-1].frame and other[0].frame <= faces[-1].frame for other in person):
        return False
    joints = [(faces[0], other[-1]) if other[-1].frame < faces[0].frame else (other[0], faces[-1]) for other in person]
    later, earlier = min(joints, key=lambda joint: joint[0].frame - joint[1].frame)
    sides = sorted((_side(later), _side(earlier)))
    distance = np.linalg.norm(later.box.reshape(2, 2).mean(axis=0) - earlier.box.reshape(2, 2).mean(axis=0))
    allowed = _MAX_DISTANCE * (1 + (later.frame - earlier.frame) / _FRAMES_PER_DISTANCE)
    return bool(sides[1] <= _MAX_SIZE_RATIO * sides[0] and distance <= allowed * sides[1])


def chosen_faces(
    index: FaceIndex, casting: Casting, choice: FrameChoice = EVERYTHING
) -> tuple[dict[int, list[Face]], dict[str, int]]:
    """Return the faces to swap by frame, and how many were left out and why.

    Args:
        choice: the frames to look at.

    Raises:
        UsageError: the clip has no such frames. NoFaceError: no face to swap in them.
    """
    ranges = choice.ranges(index)
    chosen: dict[int, list[Face]] = defaultdict(list)
    num_others = num_outside = 0
    for face in index.faces:
        if not _is_inside(face.frame, ranges):
            num_outside += 1
        elif face.track in casting.roles:
            chosen[face.frame].append(face)
        else:
            num_others += 1
    if not chosen and not choice.is_everything:
        raise NoFaceError(
            "there is no face to swap in the chosen frames; `faceswap shots` lists the shots with their faces"
        )
    reasons = {"faces of other people": num_others, "faces outside the chosen frames": num_outside}
    return dict(chosen), {reason: count for reason, count in reasons.items() if count}


def tracks_inside(index: FaceIndex, choice: FrameChoice) -> dict[int, list[Face]]:
    """Return the tracks that are in the chosen frames, all their faces in frame order.

    Raises:
        UsageError: the clip has no such frames.
    """
    ranges = choice.ranges(index)
    return {
        track: faces
        for track, faces in faces_by_track(index).items()
        if any(_is_inside(face.frame, ranges) for face in faces)
    }


def _is_inside(frame: int, ranges: Ranges) -> bool:
    position = bisect_right(ranges, frame, key=lambda run: run[0]) - 1
    return position >= 0 and frame < ranges[position][1]
