"""What other tools know of a face, in our terms."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.pickles.values import PickledArray
from faceswap.schemes import IBUG68
from faceswap.types import Matrix

MAX_SIDE = 4096
"""Of a stranger's picture, px: both tools write up to 2048."""
_HALF_PIXEL = 0.5
"""Both tools put integers on the centres of pixels."""
_FRAME_NUMBER = re.compile(r"(\d{1,9})$")


@dataclass(frozen=True, slots=True, eq=False)
class ForeignFace:
    """One face; coordinates are continuous, as everywhere here."""

    name: str
    """File name of the crop, or frame and number in it."""
    picture: bytes | None
    """The crop's file; None = only the frame shows the face."""
    source: str
    """File name of the frame, as far as known; else empty."""
    number: int
    """Of the face in its frame, from 0."""
    landmarks: NDArray[np.float64] | None
    """(68, 2) px of the crop; None = not known."""
    frame_landmarks: NDArray[np.float64] | None
    """(68, 2) px of the frame; None = not known."""
    box: NDArray[np.float64] | None
    """(4,) xyxy px of the frame."""
    crop_from_frame: Matrix | None = None
    scheme: str = IBUG68

    @property
    def source_name(self) -> str:
        """The frame's name without folders and suffix."""
        return PurePosixPath(self.source.replace("\\", "/")).stem

    @property
    def frame(self) -> int | None:
        """Number at the end of the frame's name; both tools count from 1, we from 0. None = there is no number."""
        match = _FRAME_NUMBER.search(self.source_name)
        return None if match is None else max(0, int(match[1]) - 1)

    @property
    def source_stem(self) -> str:
        """The frame's name without number and suffix: the clip, for crops of several."""
        return _FRAME_NUMBER.sub("", self.source_name).rstrip("_-. ")


def points_of(value: Any, count: int = 68) -> NDArray[np.float64] | None:
    """Return (count, 2) points, half a px moved to our coordinates; None when `value` is anything else."""
    rows = value.value if isinstance(value, PickledArray) else value
    if isinstance(rows, np.ndarray):
        is_right = rows.shape == (count, 2) and rows.dtype.kind in "fiu"
        points = rows.astype(np.float64) if is_right else None
    else:
        points = _numbers(rows, (count, 2))
    return points + _HALF_PIXEL if points is not None and np.isfinite(points).all() else None


def box_of(value: Any) -> NDArray[np.float64] | None:
    """Return (4,) xyxy; None when `value` is anything else."""
    rows = value.value if isinstance(value, PickledArray) else value
    if isinstance(rows, np.ndarray):
        rows = rows.tolist() if rows.shape == (4,) else None
    return _numbers([rows], (1, 4))[0] if _numbers([rows], (1, 4)) is not None else None  # type: ignore[index]


def matrix_of(value: Any) -> Matrix | None:
    """Return a (2, 3) matrix between pictures with integers on the centres of pixels, in our coordinates; or None."""
    rows = value.value if isinstance(value, PickledArray) else value
    if isinstance(rows, np.ndarray):
        rows = rows.tolist() if rows.shape == (2, 3) else None
    matrix = _numbers(rows, (2, 3))
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-9:
        return None
    centre = geometry.translation(_HALF_PIXEL, _HALF_PIXEL)
    return geometry.compose(centre, geometry.compose(matrix, geometry.invert(centre)))


def text_of(value: Any) -> str:
    """Return a text of sane length; else an empty one."""
    return value if isinstance(value, str) and len(value) < 1000 else ""


def _numbers(rows: Any, shape: tuple[int, int]) -> NDArray[np.float64] | None:
    """Check row by row before numpy sees it: values may be shared and nested without end."""
    if not isinstance(rows, (list, tuple)) or len(rows) != shape[0]:
        return None
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != shape[1]:
            return None
        if not all(type(value) in (int, float) and abs(value) < 1e9 for value in row):
            return None
    return np.array(rows, dtype=np.float64)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, content) of a JPEG's segments up to the picture itself."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        (length,) = struct.unpack_from(">H", data, place + 2)
        if marker == 0xDA or length < 2:
            return
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + length


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of a PNG's chunks."""
    place = 8
    while data[:8] == b"\x89PNG\r\n\x1a\n" and place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return (h, w) of a JPEG or PNG from its header, without decoding it; None when it has none."""
    if data[:4] == b"\x89PNG" and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return height, width
    for marker, content in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(content) >= 5:
            height, width = struct.unpack_from(">HH", content, 1)
            return height, width
    return None
