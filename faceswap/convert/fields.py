"""Interlaced frames: two fields, half a frame apart in time, each swapped as a picture of its own.

Nothing passes from one field's lines to the other's: the fields are cut apart, go through the engine as pictures of half
the height with their own geometry, and are woven again. Samples that the engine leaves alone stay bit-identical.

Where a face is in each field: `faces.fields`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.convert.batches import FrameBatch
from faceswap.convert.rendered import Rendered
from faceswap.errors import ShapeError
from faceswap.faces.fields import PARITIES, combing, face_in_field, lateness, moved
from faceswap.media.planes import field_of, weave
from faceswap.types import Face, FieldOrder, Frame


class Engine(Protocol):
    """What `SwapEngine` does."""

    def forget(self) -> None: ...

    def begin_segment(self, start: int, shot: int) -> None: ...

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None: ...

    def process(
        self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]
    ) -> list[Rendered]: ...

    def stream(self, batches: Iterable[FrameBatch]) -> Generator[list[Rendered], None, None]: ...

    @property
    def remarks(self) -> Sequence[str]: ...


def engine_for(
    engine: Engine, field_order: FieldOrder | None, faces_of: Mapping[int, Sequence[Face]], *, is_tagged: bool = True
) -> Engine:
    """Return the engine that a clip needs: `engine` itself for progressive frames; args as in `FieldEngine`."""
    return engine if field_order is None else FieldEngine(engine, field_order, faces_of, is_tagged=is_tagged)


class FieldEngine:
    """An engine for interlaced frames: the same calls as `SwapEngine`'s, done field by field."""

    def __init__(
        self,
        engine: Engine,
        field_order: FieldOrder,
        faces_of: Mapping[int, Sequence[Face]],
        *,
        is_tagged: bool = True,
    ) -> None:
        """Wrap an engine.

        Args:
            faces_of: frame index -> faces to swap, for the whole clip: a field's faces depend on the frames around it.
            is_tagged: the clip says that it is interlaced, so faces were found in its upper fields. Otherwise they were
                found in woven frames, where they lie in the middle of both fields' times.
        """
        self._engine, self._order, self._faces_of = engine, field_order, faces_of
        self._found_at = 0.0 if is_tagged else lateness(1, field_order) / 2

    def forget(self) -> None:
        """Forget all frames: what comes next does not follow on them."""
        self._engine.forget()

    def begin_segment(self, start: int, shot: int) -> None:
        """Args as in `SwapEngine.begin_segment`."""
        self._engine.begin_segment(start, shot)

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        """Remember the faces of frames that belong to the segment before."""
        self._engine.observe(*self._split(frames, faces, shots))

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        """Swap interlaced frames field by field.

        Args:
            faces: for each frame the faces to swap, as they are in its upper field. shots: for each frame its shot's number.

        Returns:
            For each frame the woven result; its layers say to which field they belong. A frame of which no field was
            changed is handed back as the very object.
        """
        return self._whole(frames, self._engine.process(*self._split(frames, faces, shots)))

    def stream(self, batches: Iterable[FrameBatch]) -> Generator[list[Rendered], None, None]:
        """As `SwapEngine.stream`."""
        waiting: deque[Sequence[Frame]] = deque()

        def split() -> Iterator[FrameBatch]:
            for batch in batches:
                waiting.append(batch[0])
                yield self._split(*batch)

        with closing(self._engine.stream(split())) as fields:
            for rendered in fields:
                yield self._whole(waiting.popleft(), rendered)

    @property
    def remarks(self) -> Sequence[str]:
        """As `SwapEngine.remarks`."""
        return self._engine.remarks

    def _whole(self, frames: Sequence[Frame], fields: Sequence[Rendered]) -> list[Rendered]:
        rendered = iter(fields)
        return [_woven(frame, {parity: next(rendered) for parity in PARITIES[self._order]}) for frame in frames]

    def _split(
        self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]
    ) -> tuple[list[Frame], list[list[Face]], list[int]]:
        """Return the fields of frames in the order of time, their faces in their own coordinates, their shots."""
        fields: list[Frame] = []
        of_fields: list[list[Face]] = []
        for frame, of_frame in zip(frames, faces, strict=True):
            shares = [combing(frame, face) for face in of_frame]
            for parity in PARITIES[self._order]:
                late = lateness(parity, self._order) - self._found_at
                fields.append(field_of(frame, parity))
                of_fields.append(
                    [
                        face_in_field(moved(face, share * late, self._faces_at), parity)
                        for face, share in zip(of_frame, shares, strict=True)
                    ]
                )
        return fields, of_fields, [shot for shot in shots for _ in (0, 1)]

    def _faces_at(self, frame: int) -> Sequence[Face]:
        return self._faces_of.get(frame, ())


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


def draw_by_field(rendered: Rendered, draw: Callable[[Rendered], Frame]) -> Frame:
    """Return a picture made of a rendered frame's layers, field by field where they belong to fields.

    Args:
        draw: gives a picture of the size of the `Rendered`'s source that it is handed.
    """
    parts = [draw(part) for part in fields_of(rendered)]
    if len(parts) == 1:
        return parts[0]
    planes = (weave(upper, lower) for upper, lower in zip(parts[0].planes, parts[1].planes, strict=True))
    return replace(parts[0], planes=tuple(planes))


def channels_by_field(
    rendered: Rendered, channels: Callable[[Rendered], Mapping[str, NDArray[np.float32]]]
) -> dict[str, NDArray[np.float32]]:
    """`draw_by_field` for named (h, w) arrays."""
    parts = [channels(part) for part in fields_of(rendered)]
    if len(parts) == 1:
        return dict(parts[0])
    return {name: weave(upper, parts[1][name]) for name, upper in parts[0].items()}


def fields_of(rendered: Rendered) -> list[Rendered]:
    """Return a rendered frame's two fields, upper one first, with the layers of each; the frame alone if it is progressive."""
    if all(layer.parity is None for layer in rendered.layers):
        return [rendered]
    parts = []
    for parity in (0, 1):
        frame_from_field = geometry.frame_from_field(parity)
        layers = []
        for layer in rendered.layers:
            if layer.parity == parity:
                matrix = geometry.compose(layer.patch.patch_from_frame, frame_from_field)
                layers.append(replace(layer, patch=replace(layer.patch, patch_from_frame=matrix), parity=None))
        source, frame = (field_of(each, parity) for each in (rendered.source, rendered.frame))
        parts.append(Rendered(source, frame, tuple(layers)))
    return parts
