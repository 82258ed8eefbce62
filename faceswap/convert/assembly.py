"""Putting finished segments together into the outputs' temporary files, and comparing those with the source."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.convert.check import Checks, CopyMismatchError, check_copies, check_pictures_only, check_result
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.products import SequenceProduct, VideoProduct
from faceswap.convert.segments import Segment
from faceswap.convert.smart import CopyPlan
from faceswap.convert.work import WorkFolder
from faceswap.errors import FaceswapError, InterruptedRunError, UnsupportedInputError
from faceswap.faces.index import FaceIndex
from faceswap.media.assemble import ClipMuxer, PictureRun
from faceswap.media.gops import copied_packets
from faceswap.media.packets import EncodedPicture, read_packet_times, read_packets
from faceswap.media.remux import Span, source_metadata
from faceswap.media.sequence_files import assemble, read_rows
from faceswap.provenance.mark import marked_metadata, packet_marker
from faceswap.types import FrameTable


@dataclass(frozen=True, slots=True)
class Assembly:
    """One conversion whose segments are all there."""

    plan: ConvertPlan
    work: WorkFolder
    segments: Sequence[Segment]
    index: FaceIndex
    frames: tuple[int, int]
    """The source's frames that are wanted, half-open."""
    copies: CopyPlan | None
    watch: Callable[[str, int, int], None]
    """Told the stage, how many frames are done and of how many; may raise to stop."""

    @property
    def _table(self) -> FrameTable:
        """Of the frames that are wanted, times as in the output."""
        return self.index.frames.part(*self.frames) if self._span else self.index.frames

    @property
    def _span(self) -> Span | None:
        table, (first, last) = self.index.frames, self.frames
        if (first, last) == (0, len(table)):
            return None
        return Span(int(table.pts[first]) * table.time_base, table.end_of(last - 1))

    def write_video(self, product: VideoProduct, path: Path) -> tuple[list[str], Checks]:
        """Write one video and check it; return what its container could not hold, and what was compared.

        Raises:
            FaceswapError: it does not fit the source. CopyMismatchError: the same, but encoding everything helps.
        """
        try:
            dropped = self._mux(product, path)
            if not product.copies_streams:
                return dropped, check_pictures_only(self.plan, path, self._table)
            if self.copies is not None:
                is_source_whole = not self.index.shortfalls
                check_copies(
                    path, self.plan.info, self._table, self.copies, self.watch, is_source_whole=is_source_whole
                )
            return dropped, check_result(self.plan, path, self._table, len(dropped))
        except InterruptedRunError:
            raise
        except FaceswapError as error:
            if self.copies is None or not isinstance(error, CopyMismatchError | UnsupportedInputError):
                raise
            raise CopyMismatchError(str(error)) from error

    def _mux(self, product: VideoProduct, path: Path) -> list[str]:
        muxer = ClipMuxer(
            product.info,
            product.encode,
            source=self.plan.input if product.copies_streams else None,
            span=self._span,
            metadata=marked_metadata(source_metadata(self.plan.input), self.plan.mark),
            edit_key_packet=packet_marker(self.plan.mark),
            is_spliced=self.copies is not None,
        )
        stage = "put together" if product.name == "clip" else f"put {product.name} together"
        done, (first, last) = itertools.count(1), self.frames

        def watched(run: PictureRun) -> PictureRun:
            def read() -> Iterator[EncodedPicture]:
                for picture in run.read():
                    self.watch(stage, next(done), last - first)
                    yield picture

            return PictureRun(run.pts, read)

        return muxer.write(path, [watched(self._run_of(product, segment)) for segment in self.segments])

    def _run_of(self, product: VideoProduct, segment: Segment) -> PictureRun:
        if self.copies and segment.is_copied:
            run = self.copies.copied[segment.start]
            return PictureRun(run.pts, lambda: copied_packets(self.plan.info, run))
        file = self.work.segment_file(segment, product.name)
        return PictureRun(read_packet_times(file), lambda: read_packets(file))

    def write_pictures(self, product: SequenceProduct, folder: Path) -> Checks:
        """Put the pictures of all segments into `folder` and check them.

        Raises:
            FaceswapError: they are not the source's frames.
        """
        target = replace(product.target, folder=folder)
        assemble([self.work.segment_file(segment, product.name) for segment in self.segments], target)
        written = [row["pts"] for row in read_rows(target)]
        expected = self.index.frames.pts[slice(*self.frames)].tolist()
        if written != expected:
            raise FaceswapError(
                f"{len(written)} pictures were made of {len(expected)} frames, or at other times; "
                "please report this with the output of `faceswap convert -n`"
            )
        return Checks({"frames": f"{len(written)} of {len(expected)}", "times": "as in the source"}, ())
