"""Who is who by an identity encoder: reference pictures against the faces of a clip's tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import NoFaceError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector, IdentityEncoder, longer_side
from faceswap.faces.index import FaceIndex
from faceswap.faces.samples import best_faces, clearness, frames_with
from faceswap.faces.views import render_view
from faceswap.media.pictures import PictureFolder
from faceswap.media.reader import SeekableReader
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import Face, Frame

_MIN_REFERENCE_PX = 24
_BYSTANDER = 0.4
"""Other faces of a reference picture whose sides are below this share of the largest one's are in its background."""
_BATCH = 16


def reference_vectors(
    references: Mapping[str, Sequence[Path]], detector: Detector, encoder: IdentityEncoder
) -> dict[str, NDArray[np.float32]]:
    """Return one vector of length 1 for each person: the mean over their pictures.

    Raises:
        UsageError: a picture shows several people. NoFaceError: it shows none.
        UnsupportedInputError: it cannot be read.
    """
    people = {}
    for name, paths in references.items():
        pictures = np.stack([_reference_picture(path, detector, encoder) for path in paths])
        people[name] = _unit(encoder.embed(pictures).mean(axis=0))
    return people


def track_vectors(
    reader: SeekableReader,
    index: FaceIndex,
    tracks: Mapping[int, Sequence[Face]],
    encoder: IdentityEncoder,
    on_progress: OnProgress = ignore_progress,
) -> dict[int, NDArray[np.float32]]:
    """Return one vector of length 1 for each track: the mean over its best faces, the clearer ones counting more.

    Args:
        tracks: the faces of the tracks to look at, in frame order.
    """
    samples = {track: best_faces(faces) for track, faces in tracks.items()}
    faces: list[Face] = []
    vectors: list[NDArray[np.float32]] = []
    waiting: list[NDArray[np.uint8]] = []
    total = sum(map(len, samples.values()))
    for frame, in_frame in frames_with(reader, index.frames, samples):
        for face in in_frame:
            waiting.append(encoder_patch(frame, face, encoder))
            faces.append(face)
        if len(waiting) >= _BATCH:
            vectors += list(encoder.embed(np.stack(waiting)))
            waiting = []
        on_progress(Progress("who is who", len(faces), total))
    if waiting:
        vectors += list(encoder.embed(np.stack(waiting)))
    sums: dict[int, NDArray] = {}
    for face, vector in zip(faces, vectors, strict=True):
        sums[face.track] = sums.get(face.track, 0) + clearness(face) * vector
    return {track: _unit(total) for track, total in sums.items()}


def cosines(
    tracks: Mapping[int, NDArray[np.float32]], people: Mapping[str, NDArray[np.float32]]
) -> dict[int, dict[str, float]]:
    """Return how alike each track and each person are, [-1, 1]."""
    return {
        track: {name: round(float(vector @ other), 3) for name, other in people.items()}
        for track, vector in tracks.items()
    }


def _reference_picture(path: Path, detector: Detector, encoder: IdentityEncoder) -> NDArray[np.uint8]:
    """Return the (S, S, 3) aligned face of a picture."""
    reader = PictureFolder(path)
    frame = next(iter(reader), None)
    if frame is None:
        raise UsageError(f"the reference picture {path} cannot be read; give a .jpg or .png")
    found = analyse(reader, detector, min_face_px=_MIN_REFERENCE_PX, needs_face=False).faces
    if not found:
        raise NoFaceError(f"no face of {_MIN_REFERENCE_PX} px or more is in the reference picture {path}; give another")
    sides = [longer_side(face.box) for face in found]
    people = [face for face, side in zip(found, sides, strict=True) if side >= _BYSTANDER * max(sides)]
    if len(people) > 1:
        raise UsageError(f"the reference picture {path} shows {len(people)} people; cut out the one that is meant")
    return encoder_patch(frame, people[0], encoder)


def encoder_patch(frame: Frame, face: Face, encoder: IdentityEncoder) -> NDArray[np.uint8]:
    """Return the (S, S, 3) uint8 patch that an encoder wants to see of a face."""
    assert face.frame_from_canonical is not None, "faces of an index are aligned"
    patch_from_frame = geometry.compose(encoder.patch_from_canonical, geometry.invert(face.frame_from_canonical))
    return render_view(frame, patch_from_frame, (encoder.size, encoder.size))


def _unit(vector: NDArray) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
