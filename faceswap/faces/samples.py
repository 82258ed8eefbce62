"""A few good faces of each track, and the frames they are in: enough to tell who somebody is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from faceswap.faces.base import longer_side
from faceswap.faces.index import FaceIndex
from faceswap.faces.pose import pose_of
from faceswap.media.reader import SeekableReader
from faceswap.types import Face, Frame, FrameTable

SAMPLES = 10
"""Faces looked at of a track."""
_READ_ON = 24
"""Frames that are rather decoded than jumped over: about what a seek to the key frame before costs."""


def faces_by_track(index: FaceIndex) -> dict[int, list[Face]]:
    """Return each track's faces in frame order, by the track's number."""
    tracks: dict[int, list[Face]] = {}
    for face in index.faces:
        tracks.setdefault(face.track, []).append(face)
    return dict(sorted(tracks.items()))


def best_faces(faces: Sequence[Face], count: int = SAMPLES) -> list[Face]:
    """Return up to `count` faces spread over a track, the clearest of each part: found, sure, large and frontal."""
    parts = np.array_split(np.arange(len(faces)), min(count, len(faces)))
    return [max((faces[i] for i in part), key=clearness) for part in parts]


def clearness(face: Face) -> float:
    """Return how much a face tells about its person; only good for comparing faces of one clip."""
    yaw = np.clip(pose_of(face.landmarks, face.scheme).yaw, -90, 90)
    side = longer_side(face.box)
    # Beyond some 100 px more of them tell no more; a bridged face lies where it was guessed to be.
    return float(face.score * min(side, 100.0) * np.cos(np.radians(yaw)) * (0.1 if face.is_interpolated else 1.0))


def frames_with(
    reader: SeekableReader, table: FrameTable, samples: Mapping[int, Sequence[Face]]
) -> Iterator[tuple[Frame, list[Face]]]:
    """Yield the frames that hold sampled faces, each with these.

    Args:
        table: of the clip's frames. samples: faces by track.

    Raises:
        UnsupportedInputError: the clip is not the one of the table.
    """
    by_frame: dict[int, list[Face]] = {}
    for faces in samples.values():
        for face in faces:
            by_frame.setdefault(face.frame, []).append(face)
    for frame in frames_at(reader, table, sorted(by_frame)):
        yield frame, by_frame[frame.index]


def frames_at(
    reader: SeekableReader, table: FrameTable, numbers: Iterable[int], *, read_on: int = _READ_ON
) -> Iterator[Frame]:
    """Yield frames by their numbers, which rise.

    Args:
        table: of the clip's frames. read_on: frames that are rather decoded than jumped over.
    """
    frames: Iterator[Frame] = iter(())
    position = -read_on - 1
    for number in numbers:
        if not position <= number <= position + read_on:
            frames, position = reader.frames_from(number, table), number
        for frame in frames:
            position += 1
            if frame.index == number:
                yield frame
                break
