"""Hand-painted masks as files: a folder of PNG pictures named by their frames' numbers, or one PNG for all frames."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UsageError
from faceswap.files import sha256_file

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class PaintedFiles:
    """Which painted masks there are."""

    path: Path
    """As the user gave it: a folder or a PNG."""
    by_frame: dict[int, Path]
    """Frame number -> file, in order; empty = one picture for all frames."""

    @property
    def is_constant(self) -> bool:
        """True when one picture serves all frames."""
        return not self.by_frame

    def digest(self) -> str:
        """Return a SHA-256 over the frames' numbers and the files' contents."""
        if self.is_constant:
            return sha256_file(self.path)
        text = "\n".join(f"{frame} {sha256_file(file)}" for frame, file in self.by_frame.items())
        return hashlib.sha256(text.encode()).hexdigest()

    def require_fit(self, size: tuple[int, int], num_frames: int | None = None) -> None:
        """Raise UsageError unless every picture has the clip's size and its frame is in the clip.

        Args:
            size: (h, w) px of the clip as it is displayed. num_frames: None = not known yet.
        """
        for frame, file in self.by_frame.items():
            if num_frames is not None and frame >= num_frames:
                raise UsageError(
                    f"{file} is painted for frame {frame}, but the clip has the frames 0 to {num_frames - 1}; rename or "
                    "remove it"
                )
        for file in self.by_frame.values() or (self.path,):
            found = _size_of(file)
            if found != size:
                raise UsageError(
                    f"{file} has {found[1]}x{found[0]} px, the clip {size[1]}x{size[0]}; paint masks at the clip's own size"
                )


def find_painted(path: Path) -> PaintedFiles:
    """Return the painted masks of a folder, or of one PNG.

    The number at the end of a file's name is its frame's, counted from 0: 000120.png, mask_120.png.

    Raises:
        UsageError: nothing there, a name without a number, two files for one frame.
    """
    if path.is_file() and path.suffix.lower() == ".png":
        return PaintedFiles(path, {})
    if not path.is_dir():
        raise UsageError(f"there are no painted masks at {path}; give a folder of PNG files, or one PNG")
    by_frame: dict[int, Path] = {}
    for file in sorted(p for p in path.iterdir() if p.suffix.lower() == ".png" and not p.name.startswith(".")):
        number = _NUMBER.search(file.stem)
        if number is None:
            raise UsageError(
                f"{file} does not say which frame it is for; end its name with the frame's number, as 000120.png"
            )
        frame = int(number[1])
        if frame in by_frame:
            raise UsageError(f"{by_frame[frame]} and {file} are both for frame {frame}; keep one of them")
        by_frame[frame] = file
    if not by_frame:
        raise UsageError(f"{path} holds no PNG files; paint at least one, named by its frame's number, as 000120.png")
    return PaintedFiles(path, dict(sorted(by_frame.items())))


def _size_of(file: Path) -> tuple[int, int]:
    """Return the (h, w) px that a PNG file states, without decoding it: there may be thousands."""
    with file.open("rb") as stream:
        head = stream.read(24)
    if len(head) < 24 or not head.startswith(_SIGNATURE):
        raise UsageError(f"{file} is not a PNG picture; save it again")
    width, height = struct.unpack(">II", head[16:])
    return height, width


def read_mask(file: Path) -> NDArray[np.float32]:
    """Return a painted mask as (h, w) in [0, 1]: white 1, black or transparent 0; colours count by their light.

    Raises:
        UsageError: not a picture.
    """
    data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"{file} cannot be read as a PNG picture of 8 or 16 bits; save it again")
    values = picture.astype(np.float32) / np.iinfo(picture.dtype).max
    if values.ndim == 2:
        return values
    grey = cv2.cvtColor(values[..., :3], cv2.COLOR_BGR2GRAY)
    return grey * values[..., 3] if values.shape[2] == 4 else grey
