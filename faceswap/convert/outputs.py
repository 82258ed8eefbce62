"""The finished files of a conversion: put together, compared with the source, checked for their marks, then given their
names, all of them or none. What is not marked does not get its name: there is no unmarked path.

Until then a video waits under a temporary name beside its own, pictures in a folder of the work folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.convert.check import Checks, CopyMismatchError, check_copies, check_pictures_only, check_result
from faceswap.convert.names import product_path
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.products import Product, SequenceProduct, VideoProduct
from faceswap.convert.segments import Segment
from faceswap.convert.smart import CopyPlan
from faceswap.convert.timeline import TimelineContent, TimelineMedia, write_timeline
from faceswap.convert.work import WorkFolder
from faceswap.errors import FaceswapError, ProvenanceError, UsageError
from faceswap.faces.index import FaceIndex
from faceswap.files import remove_stale_temporaries, sync_file, sync_folder, temporary_beside
from faceswap.media.assemble import ClipMuxer, PictureRun
from faceswap.media.gops import copied_packets
from faceswap.media.packets import read_packet_times, read_packets
from faceswap.media.remux import Span, source_metadata
from faceswap.media.sequence import assemble, publish_pictures, read_rows
from faceswap.provenance.mark import marked_metadata, packet_marker
from faceswap.provenance.verify import verify_clip, verify_folder
from faceswap.types import FrameTable


@dataclass(frozen=True, slots=True)
class Output:
    """A product on its way to its name."""

    product: Product
    temporary: Path
    """File, or folder of pictures."""

    def discard(self) -> None:
        """Delete what has not been given its name."""
        if self.temporary.is_dir():
            shutil.rmtree(self.temporary, ignore_errors=True)
        else:
            self.temporary.unlink(missing_ok=True)


def outputs_of(products: Sequence[Product], work: WorkFolder) -> list[Output]:
    """Return where each product waits; what killed runs left there is deleted."""
    outputs = []
    for product in products:
        if isinstance(product, VideoProduct):
            remove_stale_temporaries(product.output)
            outputs.append(Output(product, temporary_beside(product.output)))
        else:
            outputs.append(Output(product, work.path / f"{product.name}-whole.tmp"))
    return outputs


def assemble_outputs(
    plan: ConvertPlan,
    outputs: Sequence[Output],
    segments: list[Segment],
    work: WorkFolder,
    table: FrameTable,
    frames: tuple[int, int],
    copies: CopyPlan | None,
) -> tuple[list[str], Checks]:
    """Write all products under their temporary names and check them.

    Args:
        table: of the whole clip. frames: those that are wanted.

    Returns:
        What the containers could not hold, and what was compared (of the clip, where there is one).
    """
    dropped: list[str] = []
    found: list[Checks] = []
    first, last = frames
    is_part = (first, last) != (0, len(table))
    span = Span(int(table.pts[first]) * table.time_base, table.end_of(last - 1)) if is_part else None
    wanted = table.part(first, last) if is_part else table
    for output in outputs:
        product, path = output.product, output.temporary
        if isinstance(product, SequenceProduct):
            _assemble_pictures(product, path, segments, work, table.pts[first:last].tolist())
            found.append(Checks({"frames": f"{len(wanted)} of {len(wanted)}", "times": "as in the source"}, ()))
            continue
        lost = _assemble(plan, product, path, segments, work, copies, span)
        dropped += lost
        if product.copies_streams:
            found.append(_check(plan, path, wanted, copies, first, len(lost)))
        else:
            found.append(check_pictures_only(plan, path, wanted))
    return dropped, found[0]


def _assemble(
    plan: ConvertPlan,
    product: VideoProduct,
    path: Path,
    segments: list[Segment],
    work: WorkFolder,
    copies: CopyPlan | None,
    span: Span | None,
) -> list[str]:
    """Write one video; return what its container could not hold."""
    muxer = ClipMuxer(
        product.info,
        product.encode,
        source=plan.input if product.copies_streams else None,
        span=span,
        metadata=marked_metadata(source_metadata(plan.input), plan.mark),
        edit_key_packet=packet_marker(plan.mark),
        is_spliced=copies is not None,
    )
    return muxer.write(path, [_picture_run(plan, product, segment, work, copies) for segment in segments])


def _picture_run(
    plan: ConvertPlan, product: VideoProduct, segment: Segment, work: WorkFolder, copies: CopyPlan | None
) -> PictureRun:
    if copies and segment.is_copied:
        pts = copies.packets[segment.start]
        return PictureRun(pts, lambda: copied_packets(plan.info, pts))
    file = work.segment_file(segment, product.name)
    return PictureRun(read_packet_times(file), lambda: read_packets(file))


def _check(
    plan: ConvertPlan, path: Path, table: FrameTable, copies: CopyPlan | None, first: int, num_dropped: int
) -> Checks:
    """Compare the finished file with the source.

    Args:
        table: of the frames that were wanted. first: number in the source of the first of them.

    Raises:
        FaceswapError: it does not fit. CopyMismatchError: the same, but encoding everything helps.
    """
    if copies is None:
        return check_result(plan, path, table, num_dropped)
    try:
        check_copies(path, table, copies, first)
        return check_result(plan, path, table, num_dropped)
    except FaceswapError as error:
        raise CopyMismatchError(str(error)) from error


def _assemble_pictures(
    product: SequenceProduct, folder: Path, segments: Sequence[Segment], work: WorkFolder, pts: Sequence[int]
) -> None:
    """Put the pictures of all segments into `folder`.

    Args:
        pts: times of the source's frames that were wanted.

    Raises:
        FaceswapError: they are not the source's frames.
    """
    target = replace(product.target, folder=folder)
    assemble([work.segment_file(segment, product.name) for segment in segments], target)
    written = [row["pts"] for row in read_rows(target)]
    if written != list(pts):
        raise FaceswapError(
            f"{len(written)} pictures were made of {len(pts)} frames, or at other times; "
            "please report this with the output of `faceswap convert -n`"
        )


def publish(outputs: Sequence[Output], plan: ConvertPlan, *, overwrite: bool) -> None:
    """Give every output its name, if all carry their marks; the first one last, since it is what one waits for.

    Raises:
        ProvenanceError: one does not. UsageError: a name was taken meanwhile.
    """
    for output in outputs:
        _require_mark(output, plan)
        taken = output.product.output
        if isinstance(output.product, VideoProduct) and taken.exists() and not overwrite:
            raise UsageError(f"{taken} appeared meanwhile; use --overwrite to replace it, or another -o")
    for output in reversed(outputs):
        if isinstance(output.product, SequenceProduct):
            publish_pictures(output.temporary, output.product.target)
            continue
        sync_file(output.temporary)
        os.replace(output.temporary, output.product.output)
        sync_folder(output.product.output.parent)


def _require_mark(output: Output, plan: ConvertPlan) -> None:
    if isinstance(output.product, SequenceProduct):
        if not verify_folder(output.temporary).is_marked:
            raise ProvenanceError(f"{output.product.output} was withheld: pictures in it lack the mark; start anew")
    elif not verify_clip(output.temporary).is_marked:
        raise ProvenanceError(
            f"{output.product.output} was withheld: neither {plan.encode.muxer} nor {plan.encode.codec} could carry the "
            "mark that it is AI-modified; use .mp4, .mov or .mkv, or H.264/H.265"
        )


def deliver_timeline(plan: ConvertPlan, products: Sequence[Product], index: FaceIndex) -> tuple[list[Path], list[str]]:
    """Write the timeline if it is asked for; return its files and what could not be written."""
    if "otio" not in plan.config.deliver:
        return [], []
    media = [TimelineMedia("source", plan.input)]
    media += [
        TimelineMedia(each.name, each.output, each.target if isinstance(each, SequenceProduct) else None)
        for each in products
    ]
    path = product_path("otio", plan.output)
    files = write_timeline(path, TimelineContent(path.stem, plan.info, index, tuple(media), plan.mark))
    return list(files.paths), list(files.notes)
