"""The tracks of a face index as a table and as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import patch_from_frame
from faceswap.faces.base import longer_side
from faceswap.faces.index import FaceIndex
from faceswap.faces.pose import pose_of
from faceswap.faces.samples import best_faces, faces_by_track, frames_with
from faceswap.faces.views import render_view
from faceswap.media.reader import VideoReader
from faceswap.types import CropSpec

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
    for track, faces in faces_by_track(index).items():
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
                size_px=round(float(np.median([longer_side(face.box) for face in faces]))),
                yaw=(round(min(yaws)), round(max(yaws))),
                score=round(float(np.mean([face.score for face in faces])), 3),
            )
        )
    return rows


def track_pictures(reader: VideoReader, index: FaceIndex) -> dict[int, NDArray[np.uint8]]:
    """Return an upright (160, 160, 3) uint8 RGB picture of each track's best face: sure, large, frontal."""
    best = {track: best_faces(faces, 1) for track, faces in faces_by_track(index).items()}
    size = _PICTURE_CROP.size
    pictures = {
        face.track: render_view(frame, patch_from_frame(face, _PICTURE_CROP), (size, size))
        for frame, faces in frames_with(reader, index.frames, best)
        for face in faces
    }
    return dict(sorted(pictures.items()))
