"""Edits of a face index by hand, and the file that keeps them. Field by field: docs/formats/face-index.md.

An edit names faces by where they are (boxes over time), not by track number: after another analysis, with another detector
even, it finds them again. The file stands beside the index and outlives it.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from faceswap.config import Settings
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.index_words import check_name
from faceswap.files import write_atomic
from faceswap.types import Face

SCHEMA_VERSION = 1
_TOLERANCE = 0.1
"""How far an interpolated box may be off before a key box is kept, in sides of the box."""
_SMALLEST_PX = 2
"""Five points that lie closer than that are no face."""
_FURTHEST_PX = 1e6
"""No picture reaches further than that."""
Frame = Annotated[int, Field(ge=0, lt=2**40)]
Pixels = Annotated[float, Field(ge=-_FURTHEST_PX, le=_FURTHEST_PX)]
Point = tuple[Pixels, Pixels]
KeyBox = tuple[Frame, Pixels, Pixels, Pixels, Pixels]
"""Frame, x0, y0, x1, y1 (px)."""
FivePoints = tuple[Point, Point, Point, Point, Point]
"""(x, y) of eyes, nose tip, mouth corners, px."""


def _rising(keys: Sequence[tuple]) -> Sequence[tuple]:
    """Check that keys, which begin with their frame, are in the order of frames: files are mended by hand."""
    if any(before[0] >= after[0] for before, after in pairwise(keys)):
        raise ValueError("the frames of keys must rise")
    return keys


Trail = Annotated[tuple[KeyBox, ...], Field(min_length=1), AfterValidator(_rising)]


def _a_face(points: FivePoints) -> FivePoints:
    """Check that five points can be a face's."""
    if np.ptp(np.array(points), axis=0).max() < _SMALLEST_PX:
        raise ValueError(f"the five points of a face lie within {_SMALLEST_PX} px of each other")
    return points


def _a_name(name: str) -> str:
    """Check that a person can be named so."""
    try:
        return check_name(name)
    except UsageError as error:
        raise ValueError(str(error)) from error


class _OnFaces(Settings):
    """An edit of faces that are there."""

    start: Frame
    stop: Frame
    """Frames, half-open."""
    trail: Trail
    """Where the face was when the edit was made; between key boxes it is interpolated."""

    @model_validator(mode="after")
    def _is_a_run(self) -> Self:
        if self.start >= self.stop:
            raise ValueError(f"a run of frames from {self.start} up to {self.stop} holds none")
        return self

    def box_at(self, frame: int) -> NDArray[np.float64]:
        """Return the (4,) box expected in a frame."""
        return box_on(self.trail, frame)


class Drop(_OnFaces):
    """The faces are none, or not to be used."""

    kind: Literal["drop"] = "drop"


class Move(_OnFaces):
    """The faces are somewhere else: turned and scaled about their middle, then shifted."""

    kind: Literal["move"] = "move"
    x: Pixels = 0.0
    y: Pixels = 0.0
    """px of the frame."""
    scale: float = Field(1.0, gt=0.1, lt=10)
    degrees: float = Field(0.0, ge=-360, le=360)
    """Clockwise."""
    ease: int = Field(0, ge=0)
    """Frames over which the change grows at the start and fades at the end."""


class Reassign(_OnFaces):
    """The faces are another person's, or belong to another track."""

    kind: Literal["reassign"] = "reassign"
    person: Annotated[str, AfterValidator(_a_name)] | None = None
    """Name of the person; None = as it was."""
    other: Trail | None = None
    """Where the track was that they join; None = they become a track of their own, or only get the name."""
    is_new: bool = False
    """They become a track of their own."""


class Add(Settings):
    """A face that was not found."""

    kind: Literal["add"] = "add"
    keys: Annotated[
        tuple[tuple[Frame, Annotated[FivePoints, AfterValidator(_a_face)]], ...],
        Field(min_length=1),
        AfterValidator(_rising),
    ]
    """Frame and five points (px: eyes, nose tip, mouth corners, left before right as seen); interpolated in between."""


Edit = Annotated[Drop | Move | Reassign | Add, Field(discriminator="kind")]


class _EditsFile(Settings):
    schema_version: Literal[1] = 1
    fingerprint: str
    """Of the clip."""
    edits: tuple[Edit, ...] = ()


def load_edits(path: Path, fingerprint: str) -> tuple[Edit, ...]:
    """Return the edits kept in a file; none when there is no file.

    Raises:
        UnsupportedInputError: it cannot be read, or is of another clip: work by hand is never passed over in silence.
    """
    if not path.exists():
        return ()
    try:
        kept = TypeAdapter(_EditsFile).validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise UnsupportedInputError(
            f"the edits in {path} cannot be read ({reason}); mend the file, or move it away to go on without them"
        ) from error
    if kept.fingerprint != fingerprint:
        raise UnsupportedInputError(f"{path} holds edits of another clip; move it away to go on without them")
    return kept.edits


def save_edits(path: Path, fingerprint: str, edits: Sequence[Edit]) -> None:
    """Write the edits; the file is the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = _EditsFile(fingerprint=fingerprint, edits=tuple(edits))
    write_atomic(path, (json.dumps(kept.model_dump(mode="json"), indent=1) + "\n").encode())


def trail_of(faces: Iterable[Face]) -> tuple[KeyBox, ...]:
    """Return key boxes between which the boxes of a track's faces can be interpolated; faces in the order of frames."""
    listed = list(faces)
    frames = [face.frame for face in listed]
    boxes = np.array([face.box for face in listed])
    kept = sorted({0, len(frames) - 1, *_needed(np.array(frames), boxes, 0, len(frames) - 1)})
    return tuple((frames[i], *np.round(boxes[i], 1).tolist()) for i in kept)


def _needed(frames: NDArray, boxes: NDArray, first: int, last: int) -> list[int]:
    """Return the positions that a straight line from first to last misses (Douglas & Peucker 1973)."""
    needed: list[int] = []
    waiting = [(first, last)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        share = (frames[first : last + 1] - frames[first]) / (frames[last] - frames[first])
        line = boxes[first] + share[:, None] * (boxes[last] - boxes[first])
        side = np.maximum((boxes[first : last + 1, 2:] - boxes[first : last + 1, :2]).max(axis=1), 1)
        error = np.abs(boxes[first : last + 1] - line).max(axis=1) / side
        worst = int(error.argmax())
        if error[worst] > _TOLERANCE:
            needed.append(first + worst)
            waiting += [(first, first + worst), (first + worst, last)]
    return needed


def box_on(trail: Sequence[KeyBox], frame: int) -> NDArray[np.float64]:
    """Return the (4,) box of a trail in a frame; beyond its ends, that of the end."""
    place = bisect_left(trail, frame, key=lambda key: key[0])
    if place in (0, len(trail)):
        return np.array(trail[min(place, len(trail) - 1)][1:])
    before, after = trail[place - 1], trail[place]
    share = (frame - before[0]) / (after[0] - before[0])
    return np.array(before[1:]) + share * (np.array(after[1:]) - np.array(before[1:]))
