"""The fields of interlaced frames as pictures, and where a face is in each of them.

A face that was found in a woven frame lies where it is on average over both fields, a quarter of a frame after the
first and a quarter before the second. Its places in the fields are interpolated along its track accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from faceswap import geometry
from faceswap.errors import ShapeError
from faceswap.geometry import Similarity
from faceswap.types import Face, FieldOrder, Frame, Matrix

_QUARTER = 0.25
"""Frames from the mean time of two fields to either of them."""
PARITIES: dict[FieldOrder, tuple[int, int]] = {"tff": (0, 1), "bff": (1, 0)}
"""Fields in the order of time; 0 = the upper one."""
FacesAt = Callable[[int], Sequence[Face]]
"""Frame index -> its faces; none for frames that do not exist."""


def field_of(frame: Frame, parity: int) -> Frame:
    """Return one field as a picture of half the height; its planes are views.

    Args:
        parity: 0 = lines 0, 2, 4 ..., 1 = lines 1, 3, 5 ...
    """
    color = replace(frame.color, siting=geometry.field_siting(frame.color.siting, parity))
    return replace(frame, planes=tuple(plane[parity::2] for plane in frame.planes), color=color)


def at_field_time(face: Face, place: int, faces_at: FacesAt) -> Face:
    """Return a face of a woven frame where it is when one of its fields is shown; still in the frame's coordinates.

    At an end of the track the speed of its other side is taken; a track of one frame stays where it is.

    Args:
        place: 0 = the field that is first in time, 1 = the second.
        faces_at: where to look up the same track in the frames before and after.
    """
    by = (2 * place - 1) * _QUARTER
    if face.frame_from_canonical is None:
        raise ShapeError(f"{face} is not aligned yet")
    side = 1 if by > 0 else -1
    neighbour, share = _on_track(face, faces_at, side), abs(by)
    if neighbour is None:
        neighbour, share = _on_track(face, faces_at, -side), -abs(by)
    if neighbour is None or neighbour.frame_from_canonical is None:
        return face
    matrix = _between(face.frame_from_canonical, neighbour.frame_from_canonical, share)
    return _carried(face, geometry.compose(matrix, geometry.invert(face.frame_from_canonical)), matrix)


def _on_track(face: Face, faces_at: FacesAt, step: int) -> Face | None:
    """Return the same track's face in the frame before or after; tracks end at cuts."""
    if face.track < 0:
        return None
    return next((other for other in faces_at(face.frame + step) if other.track == face.track), None)


def _between(matrix: Matrix, other: Matrix, share: float) -> Matrix:
    """Return the similarity `share` of the way from one to the other."""
    a, b = geometry.to_similarity(matrix), geometry.to_similarity(other)
    turn = (b.angle - a.angle + np.pi) % (2 * np.pi) - np.pi
    target = Similarity(b.log_scale, a.angle + turn, b.x, b.y)
    return geometry.from_similarity(Similarity(*(p + share * (q - p) for p, q in zip(a, target, strict=True))))


def face_in_field(face: Face, parity: int) -> Face:
    """Return a face of a frame in the coordinates of one of its fields; its transform is no similarity there."""
    if face.frame_from_canonical is None:
        raise ShapeError(f"{face} is not aligned yet")
    field_from_frame = geometry.invert(geometry.frame_from_field(parity))
    return _carried(face, field_from_frame, geometry.compose(field_from_frame, face.frame_from_canonical))


def _carried(face: Face, new_from_old: Matrix, frame_from_canonical: Matrix) -> Face:
    x0, y0, x1, y1 = face.box
    corners = geometry.apply(new_from_old, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    landmarks = geometry.apply(new_from_old, face.landmarks)
    return replace(face, box=box, landmarks=landmarks, frame_from_canonical=frame_from_canonical)
