"""A folder of pictures (or one picture) read like a clip: every picture is a frame and a shot of its own."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.h273 import FULL_RANGE, IDENTITY, UNSPECIFIED
from faceswap.media.probe import ClipInfo, ColorTags
from faceswap.types import ColorInfo, Frame, PlaneLayout, Timestamp

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
_LAYOUT = PlaneLayout("gbrp", (0, 0))
_COLOR = ColorInfo(matrix="rgb", full_range=True, bit_depth=8)


class PictureFolder:
    """Frames from picture files, in name order; unreadable files are counted and skipped."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise UsageError(f"{path} does not exist; give the path of a picture or a folder")
        self.files = [path] if path.is_file() else sorted(p for p in path.iterdir() if self.is_picture(p))
        self.num_damaged = 0
        if not self.files:
            raise UnsupportedInputError(f"{path} holds no pictures ({', '.join(sorted(_SUFFIXES))})")
        self.info = ClipInfo(
            path=path,
            container="pictures",
            codec=self.files[0].suffix[1:].lower(),
            stream_index=0,
            size=(0, 0),
            time_base=Fraction(1, 25),
            rate=Fraction(25),
            num_frames=len(self.files),
            layout=_LAYOUT,
            color=_COLOR,
            tags=ColorTags(UNSPECIFIED, UNSPECIFIED, IDENTITY, FULL_RANGE),
            pixel_aspect=None,
        )

    @staticmethod
    def is_picture(path: Path) -> bool:
        """True for file names that this reader takes."""
        return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")

    remarks: tuple[str, ...] = ()

    def shortfalls(self, num_frames: int) -> list[str]:
        """Return what is missing after a whole pass, in words."""
        return [f"{self.num_damaged} pictures cannot be read"] if self.num_damaged else []

    def __iter__(self) -> Iterator[Frame]:
        self.num_damaged = 0
        for index, file in enumerate(self.files):
            bgr = read_picture_bgr(file)
            if bgr is None:
                self.num_damaged += 1
                continue
            blue, green, red = cv2.split(bgr)
            yield Frame((green, blue, red), _LAYOUT, _COLOR, Timestamp(index, self.info.time_base), index, 1)


def read_picture_bgr(path: Path) -> np.ndarray | None:
    """Return a picture upright as (H, W, 3) uint8 BGR; None when it cannot be decoded.

    Raises:
        UsageError: no such file.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)  # OpenCV's own file access fails on some names
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    try:
        return None if data.size == 0 else cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # larger than OpenCV allows
        return None


def write_picture(path: Path, rgb: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG or PNG, by suffix."""
    path.write_bytes(encode_picture(path.suffix, rgb))


def encode_picture(suffix: str, rgb: np.ndarray, *, jpeg_quality: int = 97) -> bytes:
    """Return (H, W, 3) uint8 RGB (uint16, too, for ".png") encoded as ".jpg" (4:4:4) or ".png".

    Raises:
        UsageError: another suffix.
    """
    if suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise UsageError(f"cannot write pictures of type {suffix!r}; use .jpg or .png")
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        jpeg_quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode(suffix, bgr, [] if suffix.lower() == ".png" else options)[1].tobytes()
