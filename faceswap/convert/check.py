"""Comparing a finished file with its source: what was promised is measured on the file itself, every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from faceswap.convert.plan import ConvertPlan
from faceswap.convert.smart import CopyPlan
from faceswap.errors import FaceswapError
from faceswap.media.h273 import STUDIO_RANGE, UNSAID_RANGE
from faceswap.media.marks import packet_times
from faceswap.media.probe import ClipInfo, count_streams
from faceswap.media.reader import VideoReader
from faceswap.media.splices import SpliceError, SpliceRun, check_splices
from faceswap.types import FrameTable

MAX_TIME_ERROR = 0.001
"""Seconds by which a written frame's time may differ from the source's."""
_WRITTEN_STREAM = 0
"""The converted stream comes first in the output."""
_TAGS = ("primaries", "transfer", "matrix", "range")


class CopyMismatchError(FaceswapError):
    """A clip spliced from copied and encoded parts is not what it should be; encoding everything helps."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What was compared."""

    figures: Mapping[str, str]
    """Subject -> what was found, in words."""
    notes: tuple[str, ...]
    """Differences that are no reason to withhold the output, but have to be said."""


def check_result(plan: ConvertPlan, path: Path, table: FrameTable, dropped: int) -> Checks:
    """Compare frame count, times, size, orientation, tags and streams of a finished file with its source.

    Args:
        table: of the source, or of the part that was wanted. dropped: streams that the container could not take (said already).

    Raises:
        FaceswapError: frames are missing, shifted or of another size: the file must not be published.
    """
    error = _largest_time_error(plan, path, table)
    info = VideoReader(path, _WRITTEN_STREAM).info
    if info.size != plan.info.size:
        raise FaceswapError(
            f"the encoded clip is {info.size[1]}x{info.size[0]} and {plan.input} is "
            f"{plan.info.size[1]}x{plan.info.size[0]}; please report this with the output of `faceswap convert -n`"
        )
    differences = _differences(plan, info)
    ours, theirs = count_streams(path), count_streams(plan.input)
    lost = Counter(theirs) - Counter(ours)
    if lost.total() > dropped:
        differences.append(f"streams of the source that are not in the output: {_in_words(lost)}")
    return Checks(
        {
            "frames": f"{len(table)} of {len(table)}",
            "times": f"largest error {error * 1000:.2f} ms",
            "size": f"{info.size[1]}x{info.size[0]}",
            "tags": "as in the source" if not differences else "see notes",
            "streams": _in_words(Counter(ours)),
        },
        tuple(differences),
    )


def check_pictures_only(plan: ConvertPlan, path: Path, table: FrameTable) -> Checks:
    """Compare frame count and times of a video that is made beside the clip with the source.

    Raises:
        FaceswapError: frames are missing or shifted.
    """
    error = _largest_time_error(plan, path, table)
    figures = {"frames": f"{len(table)} of {len(table)}", "times": f"largest error {error * 1000:.2f} ms"}
    return Checks(figures, ())


def _largest_time_error(plan: ConvertPlan, path: Path, table: FrameTable) -> float:
    written = packet_times(path, _WRITTEN_STREAM)
    expected = [int(pts) * table.time_base for pts in table.pts]
    error = max((abs(float(a - b)) for a, b in zip(written, expected, strict=False)), default=0.0)
    if len(written) != len(expected) or error > MAX_TIME_ERROR:
        raise FaceswapError(
            f"the encoded clip does not match {plan.input}: {len(written)} of {len(expected)} frames, "
            f"largest time error {error * 1000:.1f} ms; please report this with the output of `faceswap convert -n`"
        )
    return error


def _differences(plan: ConvertPlan, info: ClipInfo) -> list[str]:
    wanted = plan.encode
    found = [
        f"the output's {name} tag is {getattr(info.tags, name)} instead of {getattr(wanted.tags, name)} (H.273)"
        for name in _TAGS
        if not _agrees(name, getattr(info.tags, name), getattr(wanted.tags, name))
    ]
    if (info.pixel_aspect or 1) != (plan.info.pixel_aspect or 1):
        found.append(f"the output's pixel aspect is {info.pixel_aspect or 'unset'}, not {plan.info.pixel_aspect}")
    if info.display_matrix != plan.info.display_matrix:
        found.append("the output has not the source's rotation; players will show it turned")
    if info.color.bit_depth < wanted.color.bit_depth:  # some decoders give more bits than went in
        found.append(f"the output has {info.color.bit_depth} bit instead of {wanted.color.bit_depth}")
    return found


def _agrees(name: str, found: int, wanted: int) -> bool:
    # Where nothing is said about the range, "studio" is meant; decoders and encoders say either.
    return found == wanted or (name == "range" and {found, wanted} == {STUDIO_RANGE, UNSAID_RANGE})


def _in_words(streams: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(streams.items()) if count) or "none"


def check_copies(
    path: Path,
    source: ClipInfo,
    table: FrameTable,
    copies: CopyPlan,
    watch: Callable[[str, int, int], None],
    *,
    is_source_whole: bool,
) -> None:
    """Compare what a spliced file copied from the source with the source.

    Args:
        table: of the frames that were wanted.
        watch: told the stage, how many frames are done and of how many; may raise to stop.
        is_source_whole: False = its own damage may come along.

    Raises:
        CopyMismatchError: packets or pictures differ, are missing or damaged.
    """
    runs = [
        SpliceRun(stop - start, copies.copied.get(start) if is_copied else None)
        for start, stop, is_copied in copies.runs
    ]
    try:
        check_splices(
            path,
            source,
            runs,
            table.digest.tolist(),
            lambda count: watch("compare", count, len(table)),
            is_source_whole=is_source_whole,
        )
    except SpliceError as error:
        raise CopyMismatchError(str(error)) from error
