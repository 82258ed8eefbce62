"""A face index as its edits leave it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from faceswap import geometry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import overlap
from faceswap.faces.edits import Add, Drop, Edit, KeyBox, Move, Reassign, box_on
from faceswap.faces.index import FaceIndex
from faceswap.geometry import Similarity
from faceswap.types import FIVE, Face, Matrix

_SAME_PLACE = 0.3
"""Overlap (IoU) from which on a face is the one that an edit means."""
_WHOLE_TRACK = 0.9
"""Share of a track's faces from which on an edit means the whole track."""
_FACE_BOX = np.array([[-1.17, -1.15], [1.17, 1.89]])
"""What the default detector boxes of a face, in template coordinates (mean over nine clips)."""


def edited(index: FaceIndex, edits: Sequence[Edit]) -> tuple[FaceIndex, list[int]]:
    """Return the index after its edits, in their order, and the numbers (from 1) of edits that met no face."""
    state = _State(list(index.faces), dict(index.people))
    lost = [number for number, edit in enumerate(edits, start=1) if not state.apply(edit, index.num_frames)]
    faces = tuple(sorted(state.faces, key=lambda face: (face.frame, face.track)))
    return replace(index, faces=faces, people=state.people), lost


@dataclass(slots=True)
class _State:
    faces: list[Face]
    people: dict[int, str] = field(default_factory=dict)

    def apply(self, edit: Edit, num_frames: int) -> bool:
        """Carry out one edit; False = there is nothing where it points."""
        if isinstance(edit, Add):
            added = added_faces(edit, self._free_track(), num_frames)
            self.faces += added
            return bool(added)
        meant = meant_faces(self.faces, edit.trail, edit.start, edit.stop)
        if not meant:
            return False
        if isinstance(edit, Drop):
            self.faces = [face for i, face in enumerate(self.faces) if i not in meant]
        elif isinstance(edit, Move):
            for i in meant:
                self.faces[i] = moved(self.faces[i], edit)
        else:
            self._reassign(edit, meant)
        return True

    def _reassign(self, edit: Reassign, meant: Mapping[int, Face]) -> None:
        if edit.other is not None:
            self._join(edit.other, meant)
        elif edit.is_new:
            self._renumber(meant, self._free_track())
        if edit.person is None:
            return
        totals = Counter(face.track for face in self.faces)
        for track, count in Counter(self.faces[i].track for i in meant).items():
            chosen = {i: self.faces[i] for i in meant if self.faces[i].track == track}
            number = track
            if count < _WHOLE_TRACK * totals[track] and edit.other is None:
                number = self._free_track()
                self._renumber(chosen, number)
            self.people[number] = edit.person

    def _join(self, other: Sequence[KeyBox], meant: Mapping[int, Face]) -> None:
        """Give faces the number of the track that lies on `other`, except where it has a face already."""
        there = meant_faces(self.faces, other, other[0][0], other[-1][0] + 1)
        if not there:
            return
        track = Counter(face.track for face in there.values()).most_common(1)[0][0]
        taken = {face.frame for face in self.faces if face.track == track}
        self._renumber({i: face for i, face in meant.items() if face.frame not in taken}, track)

    def _renumber(self, chosen: Mapping[int, Face], track: int) -> None:
        for i in chosen:
            self.faces[i] = replace(self.faces[i], track=track)

    def _free_track(self) -> int:
        return max((face.track for face in self.faces), default=-1) + 1


def meant_faces(faces: Sequence[Face], trail: Sequence[KeyBox], start: int, stop: int) -> dict[int, Face]:
    """Return the faces that lie on a trail in the frames [start, stop), by their position in `faces`; one a frame."""
    by_frame: dict[int, list[int]] = defaultdict(list)
    for i, face in enumerate(faces):
        if start <= face.frame < stop:
            by_frame[face.frame].append(i)
    meant = {}
    for frame, positions in by_frame.items():
        box = box_on(trail, frame)
        best = max(positions, key=lambda i: overlap(faces[i].box, box))
        if overlap(faces[best].box, box) >= _SAME_PLACE:
            meant[best] = faces[best]
    return meant


def moved(face: Face, edit: Move) -> Face:
    """Return a face turned and scaled about its middle and shifted."""
    assert face.frame_from_canonical is not None
    weight = 1.0
    if edit.ease:
        weight = min(1.0, (face.frame - edit.start + 1) / (edit.ease + 1), (edit.stop - face.frame) / (edit.ease + 1))
    x, y = face.box.reshape(2, 2).mean(axis=0)
    about = geometry.from_similarity(
        Similarity(weight * float(np.log(edit.scale)), weight * float(np.radians(edit.degrees)), 0, 0)
    )
    there = geometry.translation(x + weight * edit.x, y + weight * edit.y)
    matrix = geometry.compose(geometry.compose(there, about), geometry.translation(-x, -y))
    middle = geometry.apply(matrix, np.array([[x, y]]))[0]
    half = (face.box[2:] - face.box[:2]) / 2 * geometry.scale_of(matrix)
    return replace(
        face,
        box=np.concatenate([middle - half, middle + half]),
        landmarks=geometry.apply(matrix, face.landmarks),
        frame_from_canonical=geometry.compose(matrix, face.frame_from_canonical),
    )


def added_faces(edit: Add, track: int, num_frames: int) -> list[Face]:
    """Return the faces of an added track: at its keys as given, in between interpolated; none beyond the clip's end."""
    points = {frame: np.array(five, dtype=np.float64) for frame, five in edit.keys}
    for (start, _), (stop, _) in pairwise(edit.keys):
        for frame in range(start + 1, min(stop, num_frames)):
            share = (frame - start) / (stop - start)
            points[frame] = points[start] + share * (points[stop] - points[start])
    return [_face_of(frame, five, track) for frame, five in sorted(points.items()) if frame < num_frames]


def _face_of(frame: int, five: np.ndarray, track: int) -> Face:
    matrix: Matrix = frame_from_canonical(five, FIVE)
    corners = geometry.apply(matrix, _FACE_BOX)
    return Face(
        frame=frame,
        box=np.concatenate([corners.min(axis=0), corners.max(axis=0)]),
        score=1.0,
        landmarks=five,
        track=track,
        frame_from_canonical=matrix,
    )
