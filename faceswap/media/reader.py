"""Decoding a clip into `Frame`s: exact times, planes as the decoder left them, damage counted instead of hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Any, Protocol

import av

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.complete import shortfalls
from faceswap.media.decoding import DecodingPass
from faceswap.media.digest import frame_digest
from faceswap.media.layouts import planar_name
from faceswap.media.pictures import PictureFolder
from faceswap.media.probe import ClipInfo, probe
from faceswap.media.samples import planes_of
from faceswap.types import Frame, FrameTable, Timestamp

_SEEK_BACK = (0, 16, 64, 256)
"""Frames before the wanted one to seek to, one after the other, until a key frame early enough is found."""


class Reader(Protocol):
    """Anything that yields the frames of one clip, as often as asked."""

    info: ClipInfo
    num_damaged: int
    """Packets of the last pass that did not decode."""
    remarks: tuple[str, ...]
    """What the last pass met that the user should know."""

    def __iter__(self) -> Iterator[Frame]: ...

    def shortfalls(self, num_frames: int) -> list[str]:
        """Return what the clip should have given in the last whole pass, of `num_frames`, and did not; in words."""


class SeekableReader(Protocol):
    """What of a `VideoReader` those need who read a clip from any frame on."""

    info: ClipInfo

    def __iter__(self) -> Iterator[Frame]: ...

    def frames_from(self, index: int, table: FrameTable) -> Iterator[Frame]:
        """Yield the frames from number `index` on, counted by the table of a whole pass."""


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

    def __init__(self, path: Path, video_stream: int | None = None, *, on_gpu: bool = False) -> None:
        """Open a clip.

        Args:
            video_stream: number among its real video streams, from 0; None = FFmpeg's best.
            on_gpu: decode there; `hardware.why_not_on_gpu` has found that it works.
        """
        self.info = probe(path, video_stream)
        self._on_gpu = on_gpu
        self._note(self._new_pass())

    def _new_pass(self) -> DecodingPass:
        return DecodingPass(self.info, on_gpu=self._on_gpu)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame once; each pass opens the file anew.

        Raises:
            UnsupportedInputError: the picture changes its size or format on the way.
        """
        current = self._new_pass()
        for index, (decoded, pts) in enumerate(current.pictures()):
            self._note(current)
            yield self.frame_of(decoded, index, pts)
        self._note(current)

    def _note(self, current: DecodingPass) -> None:
        """Keep the figures of a whole pass: places that did not decode, frames that are lost, damaged or wrongly timed."""
        self.num_damaged, self.num_lost, self.num_flawed = current.num_damaged, current.num_lost, current.num_flawed
        self.remarks = current.clock.remarks

    def shortfalls(self, num_frames: int) -> list[str]:
        """Return what the clip should have given in the last whole pass, of `num_frames`, and did not; in words."""
        return shortfalls(self, num_frames)

    def frames_from(self, index: int, table: FrameTable) -> Iterator[Frame]:
        """Yield the frames from number `index` on, the same as a whole pass gives; the figures of the last pass stay.

        A key frame before `index` is reached by seeking. Each frame is compared with the table; where one differs (open
        GOPs, broken seek tables, streams without times) an earlier key frame is tried, at last the start of the clip.

        Args:
            index: 0 to `len(table)`; at `len(table)` nothing is left to yield.
            table: times and digests of all frames, from a whole pass over the same clip.

        Raises:
            UsageError: `index` is not in the clip. UnsupportedInputError: the clip is not the one of the table.
        """
        if not 0 <= index <= len(table):
            raise UsageError(f"{self.info.path} has no frame {index}; it holds {len(table)} frames, counted from 0")
        for back in _SEEK_BACK:
            if index - back <= 0 or index == len(table):
                break
            for frame in self._frames_by_seeking(index, int(table.pts[index - back]), table):
                yield frame
                index += 1
        if index < len(table):
            yield from self._frames_by_counting(index, table)

    def frames_at(self, seconds: Fraction, index: int) -> Iterator[Frame]:
        """Yield frames from a time on, counted from the clip's first frame; nothing is compared with a table.

        Args:
            seconds: half a frame's duration either way is the same time. index: number given to the first frame.
        """
        zero = next((pts for _, pts in self._new_pass().pictures()), 0)
        first = max(zero, math.ceil(zero + (seconds - 1 / (2 * self.info.rate)) / self.info.time_base))
        step = 1 / (self.info.rate * self.info.time_base)
        numbers = count(index)
        for back in (0, *_SEEK_BACK[1:], None):  # some indexes lead behind the time asked for
            seek_to = first - round(back * step) if back is not None else None
            pictures = self._new_pass().pictures(seek_to if seek_to is not None and seek_to > zero else None)
            decoded, pts = next(pictures, (None, 0))
            if decoded is None or (pts > first and first > zero and seek_to is not None and seek_to > zero):
                continue
            for picture, time in chain([(decoded, pts)], pictures):
                if time >= first:
                    yield self.frame_of(picture, next(numbers), time)
            return

    def _frames_by_seeking(self, index: int, seek_to: int, table: FrameTable) -> Iterator[Frame]:
        """Yield frames from `index` on for as long as they are those of the table."""
        with suppress(av.FFmpegError, UnsupportedInputError):  # whatever is wrong, a whole pass will tell it better
            for decoded, pts in self._new_pass().pictures(seek_to):
                if pts < table.pts[index]:
                    continue
                frame = self.frame_of(decoded, index, pts)
                if pts != table.pts[index] or frame_digest(frame) != table.digest[index]:
                    return
                yield frame
                index += 1
                if index == len(table):
                    return

    def _frames_by_counting(self, index: int, table: FrameTable) -> Iterator[Frame]:
        number = -1
        for number, (decoded, pts) in enumerate(self._new_pass().pictures()):
            if number == index and pts != table.pts[index]:
                raise self._changed(f"frame {index} is at {pts} ticks and was at {table.pts[index]}")
            if number >= index:
                yield self.frame_of(decoded, number, pts)
        if number + 1 != len(table):
            raise self._changed(f"it holds {number + 1} frames and held {len(table)}")

    def _changed(self, how: str) -> UnsupportedInputError:
        return UnsupportedInputError(
            f"{self.info.path} is not the clip that was analysed: {how}; repeat the command to analyse it anew"
        )

    def frame_of(self, decoded: Any, index: int, pts: int) -> Frame:
        """Return a decoded `av.VideoFrame` of this clip as a `Frame`.

        Raises:
            UnsupportedInputError: it has another size or format than the clip.
        """
        info = self.info
        wanted = info.layout.name
        if (decoded.height, decoded.width) != info.size or planar_name(decoded.format.name) != wanted:
            raise UnsupportedInputError(
                f"{info.path}: the picture changes from {info.size[1]}x{info.size[0]} {wanted} to "
                f"{decoded.width}x{decoded.height} {decoded.format.name} at frame {index}; split the clip there"
            )
        planes = planes_of(decoded, info.layout, info.color.bit_depth)
        return Frame(planes, info.layout, info.color, Timestamp(pts, info.time_base), index, int(decoded.duration or 0))
