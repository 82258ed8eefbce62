"""Decoding a clip into `Frame`s: exact times, planes as the decoder left them, damage counted instead of hidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UnsupportedInputError
from faceswap.media.layouts import planar_name
from faceswap.media.pictures import PictureFolder
from faceswap.media.probe import ClipInfo, open_input, pick_video_stream, probe
from faceswap.types import Frame, Timestamp

_MAX_HOLES = 100
"""Damaged places after which a file is given up."""


class Reader(Protocol):
    """Anything that yields the frames of one clip, as often as asked."""

    info: ClipInfo
    num_damaged: int
    """Packets of the last pass that did not decode."""

    def __iter__(self) -> Iterator[Frame]: ...


def open_clip(path: Path | str) -> Reader:
    """Return a reader for a video file, one picture, or a folder of pictures.

    Raises:
        UsageError: no such path. UnsupportedInputError: nothing in it can be decoded.
    """
    path = Path(path)
    if path.is_dir() or PictureFolder.is_picture(path):
        return PictureFolder(path)
    return VideoReader(path)


class VideoReader:
    """Frames of a video file in presentation order."""

    def __init__(self, path: Path) -> None:
        self.info = probe(path)
        self.num_damaged = 0
        self._is_cut_off = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame once; each pass opens the file anew.

        Raises:
            UnsupportedInputError: the picture changes its size or format on the way.
        """
        self.num_damaged = 0
        with open_input(self.info.path) as container:
            stream = pick_video_stream(container, self.info.path)
            stream.thread_type = "AUTO"
            last_pts, step = None, self._ticks_per_frame()
            for index, decoded in enumerate(self._decode(container, stream)):
                # AVI and raw streams carry no times: count on at the clip's own rate.
                pts = decoded.pts if decoded.pts is not None else (0 if last_pts is None else last_pts + step)
                last_pts = pts
                yield self._frame(decoded, index, pts)

    def _decode(self, container: Any, stream: Any) -> Iterator[Any]:
        for packet in self._packets(container, stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.num_damaged += 1
        if self._is_cut_off:  # the demuxer gave no end-of-stream packet that would have emptied the decoder
            with suppress(av.FFmpegError):
                yield from stream.codec_context.decode(None)

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield packets, going on behind damaged places as long as the demuxer finds something there."""
        self._is_cut_off = False
        for _ in range(_MAX_HOLES):
            try:
                yield from container.demux(stream)
                return
            except av.InvalidDataError:
                self.num_damaged += 1
            except av.FFmpegError:  # a truncated file ends in an I/O error: what came before is still good
                self.num_damaged += 1
                break
        self._is_cut_off = True

    def _ticks_per_frame(self) -> int:
        return max(1, round(1 / (self.info.rate * self.info.time_base)))

    def _frame(self, decoded: Any, index: int, pts: int) -> Frame:
        info = self.info
        wanted = info.layout.name
        if (decoded.height, decoded.width) != info.size or planar_name(decoded.format.name) != wanted:
            raise UnsupportedInputError(
                f"{info.path}: the picture changes from {info.size[1]}x{info.size[0]} {wanted} to "
                f"{decoded.width}x{decoded.height} {decoded.format.name} at frame {index}; split the clip there"
            )
        if decoded.format.name.replace("yuvj", "yuv") != wanted:
            decoded = decoded.reformat(format=wanted)
        planes = tuple(plane_view(plane, info.color.bit_depth) for plane in decoded.planes)
        return Frame(planes, info.layout, info.color, Timestamp(pts, info.time_base), index, int(decoded.duration or 0))


def plane_view(plane: Any, bit_depth: int) -> NDArray:
    """Return an (h, w) view of an `av` plane's samples, without the padding at line ends."""
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    lines = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    return lines[: plane.height, : plane.width]
