"""The tracks of a face index as a table and as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import patch_from_frame
from faceswap.faces.index import FaceIndex
from faceswap.faces.pose import pose_of
from faceswap.faces.views import render_view
from faceswap.media.reader import VideoReader
from faceswap.types import CropSpec, Face

_PICTURE_CROP = CropSpec(160, "head")


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One track in a table."""

    track: int
    person: str
    shot: int
    """From 1."""
    first: int
    last: int
    faces: int
    interpolated: int
    """Of them."""
    size_px: int
    """Median larger side of the box."""
    yaw: tuple[int, int]
    """Smallest and largest, degrees."""
    score: float
    """Mean."""


def track_rows(index: FaceIndex) -> list[TrackRow]:
    """Return what there is to say of each track, in the order of numbers."""
    rows = []
    for track, faces in sorted(_by_track(index).items()):
        yaws = [pose_of(face.landmarks, face.scheme).yaw for face in faces]
        rows.append(
            TrackRow(
                track=track,
                person=index.people.get(track, ""),
                shot=index.shot_of(faces[0].frame) + 1,
                first=faces[0].frame,
                last=faces[-1].frame,
                faces=len(faces),
                interpolated=sum(face.is_interpolated for face in faces),
                size_px=round(float(np.median([_side(face) for face in faces]))),
                yaw=(round(min(yaws)), round(max(yaws))),
                score=round(float(np.mean([face.score for face in faces])), 3),
            )
        )
    return rows


def track_pictures(reader: VideoReader, index: FaceIndex) -> dict[int, NDArray[np.uint8]]:
    """Return an upright (160, 160, 3) uint8 RGB picture of each track's best face: sure, large, frontal."""
    best = {track: max(faces, key=_goodness) for track, faces in _by_track(index).items()}
    pictures = {}
    for track, face in sorted(best.items(), key=lambda item: item[1].frame):
        frame = next(reader.frames_from(face.frame, index.frames))
        size = _PICTURE_CROP.size
        pictures[track] = render_view(frame, patch_from_frame(face, _PICTURE_CROP), (size, size))
    return dict(sorted(pictures.items()))


def _goodness(face: Face) -> float:
    yaw = pose_of(face.landmarks, face.scheme).yaw
    return face.score * _side(face) * float(np.cos(np.radians(np.clip(yaw, -90, 90)))) * (not face.is_interpolated)


def _side(face: Face) -> float:
    return float((face.box[2:] - face.box[:2]).max())


def _by_track(index: FaceIndex) -> dict[int, list[Face]]:
    tracks: dict[int, list[Face]] = {}
    for face in index.faces:
        tracks.setdefault(face.track, []).append(face)
    return tracks
