"""Cutting imported faces out of the frames they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceswap import geometry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.views import upright_from_frame
from faceswap.facesets.crops import CropSettings, write_crop
from faceswap.facesets.foreign import ForeignFace
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.media.pictures import PictureFolder
from faceswap.media.reader import Reader, open_clip
from faceswap.progress import OnProgress, Progress
from faceswap.types import Face, Frame


def cut_from_frames(
    store: FaceSet,
    clip: str,
    faces: Sequence[ForeignFace],
    frames: Path,
    era: str,
    notes: list[str],
    on_progress: OnProgress,
) -> list[FaceRecord]:
    """Write the crops of faces whose frame is found; what is not found is added to `notes`.

    Frames of a clip are found by the number at the end of the frame's name (from 1), pictures of a folder by their name.
    """
    from faceswap.facesets.imports import places_of

    reader = open_clip(frames)
    wanted: dict[int, list[tuple[ForeignFace, int]]] = defaultdict(list)
    num_homeless = 0
    for face, (_, track) in zip(faces, places_of(faces), strict=True):
        number = _frame_of(face, reader)
        if number is None or face.frame_landmarks is None:
            num_homeless += 1
        else:
            wanted[number].append((face, track))
    records = []
    last = max(wanted, default=-1)
    for frame in reader:
        if frame.index > last:
            break
        for found, track in wanted.pop(frame.index, ()):
            records.append(_cut(store, clip, reader, frame, found, track, era))
        on_progress(Progress("write crops", frame.index + 1, last + 1, details={"faces": len(records)}))
    num_homeless += sum(map(len, wanted.values()))
    if num_homeless:
        notes.append(
            f"{num_homeless} of {len(faces)} faces belong to frames that {frames} does not hold; they are left out"
        )
    return records


def _frame_of(face: ForeignFace, reader: Reader) -> int | None:
    if isinstance(reader, PictureFolder):
        names = {file.stem: number for number, file in enumerate(reader.files)}
        return names.get(Path(face.source.replace("\\", "/")).stem)
    return face.frame


def _cut(
    store: FaceSet, clip: str, reader: Reader, frame: Frame, found: ForeignFace, track: int, era: str
) -> FaceRecord:
    assert found.frame_landmarks is not None, "faces without were left out"
    upright, _ = upright_from_frame(frame.size, reader.info.upright_from_stored)
    landmarks = geometry.apply(geometry.invert(upright), found.frame_landmarks)
    box = landmarks if found.box is None else geometry.apply(geometry.invert(upright), found.box.reshape(2, 2))
    face = Face(
        frame=frame.index,
        box=np.concatenate([box.min(axis=0), box.max(axis=0)]),
        score=1.0,
        landmarks=landmarks,
        scheme=found.scheme,
        track=track,
        frame_from_canonical=frame_from_canonical(landmarks, found.scheme),
    )
    is_interlaced = reader.info.field_order is not None
    return write_crop(store, clip, 0, frame, face, CropSettings(era=era), is_interlaced)
