"""Rendering segments: frames in, swapped, encoded, into files of the work folder. The encoder runs in its own thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceswap.convert.batches import WARM_UP
from faceswap.convert.config import ConvertConfig
from faceswap.convert.feed import FrameFeed
from faceswap.convert.fields import Engine
from faceswap.convert.products import Product, VideoProduct
from faceswap.convert.rendered import Rendered
from faceswap.convert.segments import Segment
from faceswap.convert.work import SegmentRecord, WorkFolder
from faceswap.errors import InterruptedRunError
from faceswap.faces.index import FaceIndex
from faceswap.files import disk_errors_named, sync_folder
from faceswap.interrupt import StopRequest
from faceswap.media.encode import VideoEncoder
from faceswap.media.packets import PacketFile
from faceswap.progress import StageTimes
from faceswap.threads import WriteBehind
from faceswap.types import Face, Frame

_QUEUE_DEPTH = 8
"""Rendered frames that may wait for the encoder; bounds memory."""


class ProductWriter(Protocol):
    """Writes one product's part of one segment."""

    def write(self, rendered: Rendered) -> None: ...

    def close(self) -> dict[str, str]:
        """Finish on the disk; return the SHA-256 of each file by its name relative to the work folder."""

    def abort(self) -> None: ...


class _PacketWriter:
    """A video product's segment: an encoder of its own and a packet file."""

    def __init__(self, product: VideoProduct, path: Path, is_spliced: bool) -> None:
        self._product, self._path = product, path
        self._encoder = VideoEncoder(product.info, product.encode, is_spliced=is_spliced)
        self._file = PacketFile(path)

    def write(self, rendered: Rendered) -> None:
        pictures = self._encoder.encode(self._product.picture(rendered))
        with disk_errors_named(self._path):
            self._file.write(pictures)

    def close(self) -> dict[str, str]:
        pictures = self._encoder.finish()
        with disk_errors_named(self._path):
            self._file.write(pictures)
            self._file.close()
        return {self._path.name.removesuffix(".tmp"): self._file.sha256}

    def abort(self) -> None:
        self._file.abort()
        self._path.unlink(missing_ok=True)  # a full disk needs the room


class SegmentSink:
    """Writes rendered frames into the files of their segment; what it is called with comes from one thread."""

    def __init__(
        self,
        work: WorkFolder,
        products: Sequence[Product],
        times: StageTimes,
        on_segment: Callable[[SegmentRecord], None],
        *,
        is_spliced: bool,
    ) -> None:
        self._work, self._products, self._times, self._on_segment = work, products, times, on_segment
        self._is_spliced = is_spliced
        self._writers: list[tuple[Path, ProductWriter]] = []
        self._pts: list[int] = []

    def __call__(self, item: tuple[Segment, Rendered | None]) -> None:
        """Write one frame of a segment; None = the segment is complete."""
        segment, rendered = item
        with self._times.measure("encode"):
            if rendered is None:
                self._complete(segment)
                return
            if not self._writers:
                self._writers = [self._open(segment, product) for product in self._products]
            for _, writer in self._writers:
                writer.write(rendered)
            self._pts.append(rendered.source.time.pts)

    def _open(self, segment: Segment, product: Product) -> tuple[Path, ProductWriter]:
        path = self._work.segment_file(segment, product.name)
        temporary = path.with_name(path.name + ".tmp")
        with disk_errors_named(temporary):
            if isinstance(product, VideoProduct):
                return path, _PacketWriter(product, temporary, self._is_spliced)
            return path, product.open_writer(temporary)

    def _complete(self, segment: Segment) -> None:
        files: dict[str, str] = {}
        for path, writer in self._writers:
            files |= writer.close()
            os.replace(path.with_name(path.name + ".tmp"), path)
        sync_folder(self._work.path)
        self._on_segment(SegmentRecord(segment.number, segment.start, segment.stop, self._pts[0], self._pts[-1], files))
        self._writers, self._pts = [], []

    def abort(self) -> None:
        """Let go of the segment under way."""
        for _, writer in self._writers:
            writer.abort()


@dataclass(frozen=True, slots=True)
class SegmentRenderer:
    """Renders segments one after the other."""

    index: FaceIndex
    chosen: Mapping[int, Sequence[Face]]
    """The faces to swap, by frame."""
    engine: Engine
    feed: FrameFeed
    config: ConvertConfig

    def render(
        self,
        segments: Iterator[Segment],
        sink: SegmentSink,
        on_frames: Callable[[int], None],
        stop: StopRequest,
    ) -> None:
        """Render segments until there are no more.

        Args:
            on_frames: told how many frames more were rendered.

        Raises:
            InterruptedRunError: `stop` was set; finished segments are kept.
        """
        queue: WriteBehind[tuple[Segment, Rendered | None]] = WriteBehind(sink, _QUEUE_DEPTH)
        try:
            with closing(self.feed):
                for segment in segments:
                    with closing(self.batches(segment)) as batches:
                        for batch in batches:
                            for rendered in batch:
                                queue.put((segment, rendered))
                            on_frames(len(batch))
                            if stop:
                                raise InterruptedRunError("stopped", stop.signal_number)
                    queue.put((segment, None))
                queue.close()
                self.feed.end()
        except BaseException:
            queue.abandon()
            sink.abort()
            raise

    def batches(self, segment: Segment) -> Generator[list[Rendered], None, None]:
        """Yield the frames of a segment, a batch at a time; the same whatever was rendered before."""
        self._prepare(segment)
        given = ((batch, *self._faces(batch)) for batch in self._batches(segment.start, segment.stop))
        with closing(self.engine.stream(given)) as rendered:
            yield from rendered

    def _prepare(self, segment: Segment) -> None:
        """Bring the engine into the state that it has at the start of a segment, however it got there."""
        shot = self.index.shot_of(segment.start)
        first = max(self.index.shots[shot].start, segment.start - WARM_UP)
        if self.feed.position != segment.start:
            self.engine.forget()
            if any(self.chosen.get(frame) for frame in range(first, segment.start)):
                for batch in self._batches(first, segment.start):
                    self.engine.observe(batch, *self._faces(batch))
        self.engine.begin_segment(segment.start, shot)

    def _faces(self, frames: Sequence[Frame]) -> tuple[list[Sequence[Face]], list[int]]:
        """Return the faces to swap and the number of the shot, for each frame."""
        return (
            [self.chosen.get(frame.index, ()) for frame in frames],
            [self.index.shot_of(frame.index) for frame in frames],
        )

    def _batches(self, start: int, stop: int) -> Iterator[list[Frame]]:
        batch: list[Frame] = []
        for frame in self.feed.run(start, stop):
            batch.append(frame)
            if len(batch) == self.config.batch:
                yield batch
                batch = []
        if batch:
            yield batch
