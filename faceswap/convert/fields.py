"""Interlaced frames: two fields, half a frame apart in time, each swapped as a picture of its own.

Nothing passes from one field's lines to the other's: the fields are cut apart, go through the engine as pictures of half
the height with their own geometry, and are woven again. Samples that the engine leaves alone stay bit-identical.

Where a face is in each field: `faces.fields`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from faceswap import geometry
from faceswap.convert.engine import Rendered
from faceswap.errors import ShapeError
from faceswap.faces.fields import PARITIES, at_field_time, face_in_field, field_of
from faceswap.media.planes import weave
from faceswap.types import Face, FieldOrder, Frame


class Engine(Protocol):
    """What `SwapEngine` does."""

    def forget(self) -> None: ...

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

    def forget(self) -> None:
        """Forget all frames: what comes next does not follow on them."""
        self._engine.forget()

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
        return [_woven(frame, {parity: next(rendered) for parity in PARITIES[self._order]}) for frame in frames]


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
        for place, parity in enumerate(PARITIES[field_order]):
            fields.append(field_of(frame, parity))
            of_fields.append(
                [face_in_field(at_field_time(face, place, lambda n: faces_of.get(n, ())), parity) for face in of_frame]
            )
    return fields, of_fields, [shot for shot in shots for _ in (0, 1)]


def weave_fields(frame: Frame, upper: Frame, lower: Frame) -> Frame:
    """Return `frame` with the lines of two fields.

    Raises:
        ShapeError: the fields are not halves of the frame.
    """
    if frame.size != (upper.size[0] + lower.size[0], upper.size[1]):
        raise ShapeError(f"{upper} and {lower} are not the fields of {frame}")
    return replace(frame, planes=tuple(weave(a, b) for a, b in zip(upper.planes, lower.planes, strict=True)))


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
