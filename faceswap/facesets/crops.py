"""Cutting the crops of an analysed clip and writing them, several at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import InterruptedRunError, NoFaceError
from faceswap.faces.align import patch_from_frame
from faceswap.faces.fields import UPPER
from faceswap.faces.index import FaceIndex
from faceswap.faces.views import render_view, sample_rgb
from faceswap.facesets.figures import measure
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock, sync_file, sync_folder
from faceswap.interrupt import StopRequest
from faceswap.media.pictures import encode_picture
from faceswap.media.planes import field_of
from faceswap.media.reader import Reader
from faceswap.progress import OnProgress, Progress
from faceswap.types import Face, Frame

Store = Literal["jpeg", "png16"]
STORES: tuple[str, ...] = get_args(Store)
JPEG_QUALITY = 95
_WAITING_PER_WORKER = 4
"""Frames that may wait for a worker: they are whole decoded pictures."""


@dataclass(frozen=True, slots=True)
class CropSettings:
    """What is cut and how it is kept."""

    store: Store = "jpeg"
    is_largest_only: bool = False
    era: str = ""


def add_clip(
    store: FaceSet, reader: Reader, index: FaceIndex, settings: CropSettings, on_progress: OnProgress, stop: StopRequest
) -> int:
    """Write the crops of one analysed clip and register them; the clip counts only once all of it is there.

    Returns:
        The number of crops.

    Raises:
        NoFaceError: there is nothing to cut. InterruptedRunError: `stop` was set; the clip does not count.
    """
    with folder_lock(store.path, "extract"), disk_errors_named(store.path):
        records = list(_written(store, reader, index, settings, on_progress, stop))
        if not records:
            raise NoFaceError(f"{reader.info.path}: no face in it is large enough")
        if reader.info.container != "pictures":
            index.save(store.path / "index" / f"{index.fingerprint[:12]}.faces.db")
        for record in records:  # before they are registered, so that a row never names a lost file
            sync_file(store.path / record.file)
        sync_folder(store.path / "faces")
        store.add_clip(index.fingerprint, reader.info.path, index.every, index.num_frames, records)
    return len(records)


def _written(
    store: FaceSet, reader: Reader, index: FaceIndex, settings: CropSettings, on_progress: OnProgress, stop: StopRequest
) -> Iterator[FaceRecord]:
    """Yield a record for each crop once its file is written; workers cut and encode while the clip is decoded."""
    workers = os.cpu_count() or 1
    is_interlaced = reader.info.field_order is not None
    waiting: deque[Future[FaceRecord]] = deque()
    num_faces = 0
    with ThreadPoolExecutor(workers) as pool:
        try:
            for frame in reader:
                for face in _chosen(index.faces_at(frame.index), settings):
                    shot = index.shot_of(frame.index)
                    waiting.append(
                        pool.submit(write_crop, store, index.fingerprint, shot, frame, face, settings, is_interlaced)
                    )
                    num_faces += 1
                while len(waiting) > workers * _WAITING_PER_WORKER:
                    yield waiting.popleft().result()
                on_progress(Progress("write crops", frame.index + 1, index.num_frames, details={"faces": num_faces}))
                if stop:
                    raise InterruptedRunError("stopped while writing crops", stop.signal_number)
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _chosen(faces: Sequence[Face], settings: CropSettings) -> list[Face]:
    found = [face for face in faces if not face.is_interpolated]
    if settings.is_largest_only and found:
        found = [max(found, key=lambda face: float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1])))]
    return found


def write_crop(
    store: FaceSet, clip: str, shot: int, frame: Frame, face: Face, settings: CropSettings, is_interlaced: bool
) -> FaceRecord:
    """Cut an aligned face out of its frame, write the crop (not synced yet) and return its record, measured.

    Args:
        clip: fingerprint of the clip. shot: its number.
    """
    size = store.crop.size
    matrix = in_frame = patch_from_frame(face, store.crop)
    if is_interlaced:  # the field in which the face was found: one that moves is torn to a comb by both
        in_frame = geometry.compose(matrix, geometry.frame_from_field(UPPER))
        frame = field_of(frame, UPPER)
    suffix, picture = ".jpg", render_view(frame, in_frame, (size, size))
    data = encode_picture(".jpg", picture, jpeg_quality=JPEG_QUALITY) if settings.store == "jpeg" else b""
    if settings.store == "png16":
        suffix, data = ".png", encode_picture(".png", _deep_view(frame, in_frame, size))
    name = f"faces/{clip[:8]}-{frame.index:06d}-{face.track}{suffix}"
    (store.path / name).write_bytes(data)
    record = FaceRecord(
        file=name,
        clip=clip,
        frame=frame.index,
        pts=frame.time.pts,
        time_base=str(frame.time.time_base),
        shot=shot,
        track=face.track,
        score=face.score,
        box=face.box,
        landmarks=geometry.apply(matrix, face.landmarks),
        patch_from_frame=matrix,
        scheme=face.scheme,
        era=settings.era,
    )
    return replace(record, figures=measure(picture, record, store.crop))


def _deep_view(frame: Frame, patch_from_frame: NDArray[np.float64], size: int) -> NDArray[np.uint16]:
    rgb = sample_rgb(frame, patch_from_frame, (size, size))
    return np.ascontiguousarray((rgb * 65535 + 0.5).astype(np.uint16).transpose(1, 2, 0))
