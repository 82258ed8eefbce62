"""Frames of a clip from any place on, read ahead in a thread."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from faceswap.errors import FaceswapError
from faceswap.media.reader import SeekableReader
from faceswap.progress import StageTimes
from faceswap.threads import read_ahead
from faceswap.types import Frame, FrameTable

_QUEUE_DEPTH = 8
"""Decoded frames that may wait; bounds memory."""


class FrameFeed:
    """Gives runs of frames; a run that follows on the last one costs no seek."""

    def __init__(self, reader: SeekableReader, table: FrameTable, times: StageTimes) -> None:
        self._reader, self._table, self._times = reader, table, times
        self._frames: Generator[Frame, None, None] | None = None
        self._next = -1

    @property
    def position(self) -> int:
        """Number of the frame that can be had next without a seek; -1 at first."""
        return self._next

    def run(self, start: int, stop: int) -> Iterator[Frame]:
        """Yield the frames [start, stop).

        Raises:
            FaceswapError: the clip does not hold what it held when it was analysed.
        """
        if start >= stop:
            return
        if self._frames is None or self._next != start:
            self.close()
            from_there = self._reader.frames_from(start, self._table) if start else iter(self._reader)
            self._frames = read_ahead(self._timed(from_there), _QUEUE_DEPTH)
            self._next = start
        for frame in self._frames:
            number = self._next
            if frame.index != number or frame.time.pts != self._table.pts[number]:
                break
            self._next += 1
            yield frame
            if self._next == stop:
                return
        raise FaceswapError(
            f"{self._reader.info.path} differs at frame {self._next} of {len(self._table)} from what it was when it was "
            "analysed; did it change meanwhile? Delete its face index and repeat the command"
        )

    def end(self) -> None:
        """Read what lies behind the last frame, so that damage there is counted and a longer clip is noticed.

        Raises:
            FaceswapError: there are more frames than when the clip was analysed.
        """
        is_at_end = self._frames is not None and self._next == len(self._table)
        if is_at_end and next(self._frames, None) is not None:  # type: ignore[arg-type]
            raise FaceswapError(
                f"{self._reader.info.path} holds more than the {len(self._table)} frames it had when it was analysed; "
                "did it change meanwhile? Delete its face index and repeat the command"
            )
        self.close()

    def close(self) -> None:
        """End the reading thread."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def _timed(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        while True:
            with self._times.measure("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame
