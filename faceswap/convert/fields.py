"""Interlaced frames: two fields, half a frame apart in time, each swapped as a picture of its own.

Nothing passes from one field's lines to the other's: the fields are cut apart, go through the engine as pictures of half
the height with their own geometry, and are woven again. Samples that the engine leaves alone stay bit-identical.

A face that was found in a woven frame lies where it is on average over both fields, a quarter of a frame after the
first and a quarter before the second. The fields' faces are interpolated along the track accordingly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from faceswap import geometry
from faceswap.convert.engine import Rendered
from faceswap.errors import ShapeError
from faceswap.geometry import Similarity
from faceswap.media.planes import weave
from faceswap.types import Face, FieldOrder, Frame, Matrix

_QUARTER = 0.25
"""Frames from the mean time of two fields to either of them."""
_PARITIES: dict[FieldOrder, tuple[int, int]] = {"tff": (0, 1), "bff": (1, 0)}
"""Fields in the order of time; 0 = the upper one."""


class Engine(Protocol):
    """What `SwapEngine` does."""

    def begin_segment(self, start: int, shot: int) -> None: ...

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None: ...

    def process(
        self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]
    ) -> list[Rendered]: ...


def engine_for(engine: Engine, field_order: FieldOrder | None, faces_of: Mapping[int, Sequence[Face]]) -> Engine:
    """Return the engine that a clip needs: `engine` itself for progressive frames."""
    return engine if field_order is None else FieldEngine(engine, field_order, faces_of)


class FieldEngine:
    """An engine for interlaced frames: the same calls as `SwapEngine`'s, done field by field."""

    def __init__(self, engine: Engine, field_order: FieldOrder, faces_of: Mapping[int, Sequence[Face]]) -> None:
        """Wrap an engine.

        Args:
            faces_of: frame index -> faces to swap, for the whole clip: a field's faces depend on the frames around it.
        """
        self._engine, self._order, self._faces_of = engine, field_order, faces_of

    def begin_segment(self, start: int, shot: int) -> None:
        """Args as in `SwapEngine.begin_segment`."""
        self._engine.begin_segment(start, shot)

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        """Remember the faces of frames that belong to the segment before."""
        self._engine.observe(*split_fields(frames, faces, shots, self._order, self._faces_of))

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        """Swap interlaced frames field by field.

        Args:
            faces: for each frame the faces to swap, as found in the woven frame. shots: for each frame its shot's number.

        Returns:
            For each frame the woven result; its layers say to which field they belong. A frame of which no field was
            changed is handed back as the very object.
        """
        rendered = iter(self._engine.process(*split_fields(frames, faces, shots, self._order, self._faces_of)))
        return [_woven(frame, {parity: next(rendered) for parity in _PARITIES[self._order]}) for frame in frames]


def split_fields(
    frames: Sequence[Frame],
    faces: Sequence[Sequence[Face]],
    shots: Sequence[int],
    field_order: FieldOrder,
    faces_of: Mapping[int, Sequence[Face]],
) -> tuple[list[Frame], list[list[Face]], list[int]]:
    """Return the fields of frames in the order of time, their faces in their own coordinates, their shots."""
    fields: list[Frame] = []
    of_fields: list[list[Face]] = []
    for frame, of_frame in zip(frames, faces, strict=True):
        for place, parity in enumerate(_PARITIES[field_order]):
            late = (2 * place - 1) * _QUARTER
            fields.append(field_of(frame, parity))
            of_fields.append([face_in_field(moved(face, faces_of, late), parity) for face in of_frame])
    return fields, of_fields, [shot for shot in shots for _ in (0, 1)]


def field_of(frame: Frame, parity: int) -> Frame:
    """Return one field as a picture of half the height; its planes are views.

    Args:
        parity: 0 = lines 0, 2, 4 ..., 1 = lines 1, 3, 5 ...
    """
    color = replace(frame.color, siting=geometry.field_siting(frame.color.siting, parity))
    return replace(frame, planes=tuple(plane[parity::2] for plane in frame.planes), color=color)


def weave_fields(frame: Frame, upper: Frame, lower: Frame) -> Frame:
    """Return `frame` with the lines of two fields.

    Raises:
        ShapeError: the fields are not halves of the frame.
    """
    if frame.size != (upper.size[0] + lower.size[0], upper.size[1]):
        raise ShapeError(f"{upper} and {lower} are not the fields of {frame}")
    return replace(frame, planes=tuple(weave(a, b) for a, b in zip(upper.planes, lower.planes, strict=True)))


def moved(face: Face, faces_of: Mapping[int, Sequence[Face]], by: float) -> Face:
    """Return a face `by` frames later (earlier when negative; less than one), along its track.

    At an end of the track the speed of its other side is taken; a track of one frame stays where it is.
    """
    if face.frame_from_canonical is None:
        raise ShapeError(f"{face} is not aligned yet")
    side = 1 if by > 0 else -1
    neighbour, share = _on_track(face, faces_of, side), abs(by)
    if neighbour is None:
        neighbour, share = _on_track(face, faces_of, -side), -abs(by)
    if neighbour is None or neighbour.frame_from_canonical is None:
        return face
    matrix = _between(face.frame_from_canonical, neighbour.frame_from_canonical, share)
    return _carried(face, geometry.compose(matrix, geometry.invert(face.frame_from_canonical)), matrix)


def _on_track(face: Face, faces_of: Mapping[int, Sequence[Face]], step: int) -> Face | None:
    """Return the same track's face in the frame before or after; tracks end at cuts."""
    if face.track < 0:
        return None
    return next((other for other in faces_of.get(face.frame + step, ()) if other.track == face.track), None)


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


def _woven(frame: Frame, halves: Mapping[int, Rendered]) -> Rendered:
    """Return the frame with its fields rendered, and the fields' layers in the frame's coordinates."""
    if all(half.frame is half.source for half in halves.values()):
        return Rendered(frame, frame)
    layers = []
    for parity, half in halves.items():
        field_from_frame = geometry.invert(geometry.frame_from_field(parity))
        for layer in half.layers:
            matrix = geometry.compose(layer.patch.patch_from_frame, field_from_frame)
            layers.append(replace(layer, patch=replace(layer.patch, patch_from_frame=matrix), parity=parity))
    return Rendered(frame, weave_fields(frame, halves[0].frame, halves[1].frame), tuple(layers))
