"""DeepFaceLab's facesets: JPEG files with a pickled APP15 segment, and faceset.pak."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faceswap.errors import UnsupportedInputError
from faceswap.facesets.foreign import ForeignFace, box_of, jpeg_segments, matrix_of, points_of, text_of
from faceswap.pickles.machine import MAX_BYTES, read_pickle

_APP15 = 0xEF
_MAX_PICTURE = 64 << 20
_PAK_VERSION = 1
_MAX_FACES = 2_000_000


def read_dfl_jpeg(name: str, data: bytes) -> ForeignFace:
    """Return the face of a crop.

    Raises:
        UnsupportedInputError: it holds no DeepFaceLab data, or such that is damaged or refused.
    """
    content = next((content for marker, content in jpeg_segments(data) if marker == _APP15), None)
    if content is None:
        raise UnsupportedInputError(
            f"{name} has no DeepFaceLab data; extract faces from ordinary pictures with `extract`"
        )
    values = read_pickle(content, name)
    landmarks = points_of(values.get("landmarks")) if isinstance(values, dict) else None
    if landmarks is None:
        raise UnsupportedInputError(f"{name}: its DeepFaceLab data hold no 68 landmarks")
    return _face(name, data, landmarks, values)


def _face(name: str, data: bytes, landmarks: Any, values: dict) -> ForeignFace:
    return ForeignFace(
        name=name,
        picture=data,
        source=text_of(values.get("source_filename")),
        number=_face_number(name),
        landmarks=landmarks,
        frame_landmarks=points_of(values.get("source_landmarks")),
        box=box_of(values.get("source_rect")),
        crop_from_frame=matrix_of(values.get("image_to_face_mat")),
    )


def _face_number(name: str) -> int:
    """Return 1 for "00012_1.jpg"."""
    number = Path(name).stem.rpartition("_")[2]
    return int(number) if number.isdecimal() and len(number) < 4 else 0


def read_pak(path: Path) -> Iterator[ForeignFace | UnsupportedInputError]:
    """Yield the faces of a faceset.pak (version 1), or what is wrong with one.

    Layout, little endian: u64 version, u64 length of the pickled list of faces, the list, u64 offsets (one more than
    faces) counted from the end of this table, the JPEG files. The last offset is counted from the start of the file.

    Raises:
        UnsupportedInputError: not such a file, damaged, or refused.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        version, length = struct.unpack("<QQ", head) if len(head) == 16 else (0, 0)
        if version != _PAK_VERSION or not 0 < length <= min(MAX_BYTES, size):
            raise UnsupportedInputError(f"{path} is no faceset.pak of version {_PAK_VERSION}, or it is damaged")
        rows = read_pickle(file.read(length), str(path))
        if not isinstance(rows, list) or len(rows) > _MAX_FACES:
            raise UnsupportedInputError(f"{path}: its list of faces is damaged")
        table = file.read(8 * (len(rows) + 1))
        if len(table) != 8 * (len(rows) + 1):
            raise UnsupportedInputError(f"{path} is cut off")
        offsets = list(struct.unpack(f"<{len(rows) + 1}Q", table))
        start = file.tell()
        offsets[-1] = size - start
        for row, first, after in zip(rows, offsets, offsets[1:], strict=False):
            if not 0 <= first < after <= size - start or after - first > _MAX_PICTURE:
                yield UnsupportedInputError(f"{path}: the place of a face in it is damaged")
                continue
            file.seek(start + first)
            yield _packed_face(path, row, file.read(after - first))


def _packed_face(path: Path, row: Any, data: bytes) -> ForeignFace | UnsupportedInputError:
    name = text_of(row.get("filename")) if isinstance(row, dict) else ""
    landmarks = points_of(row.get("landmarks")) if isinstance(row, dict) else None
    name = f"{path.name}/{name}"
    try:
        return read_dfl_jpeg(name, data)  # the crop's own data say more than the list
    except UnsupportedInputError as error:
        return error if landmarks is None else _face(name, data, landmarks, row)
