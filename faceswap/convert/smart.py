"""Which parts of the source's picture stream need no rendering and can be copied packet for packet."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

import numpy as np

from faceswap.errors import UnsupportedInputError
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.gops import COPYABLE, CopiedRun, Gop, gops_of, read_source_packets
from faceswap.media.probe import ClipInfo
from faceswap.types import FrameTable

_ENCODERS = {"h264": "libx264", "hevc": "libx265", "prores": "prores_ks", "dnxhd": "dnxhd", "mjpeg": "mjpeg"}
"""The encoder whose packets may stand beside the source's, by the source's codec."""


_X264_PROFILES = {
    "Constrained Baseline": "baseline",
    "Baseline": "baseline",
    "Main": "main",
    "High": "high",
    "High 10": "high10",
    "High 4:2:2": "high422",
    "High 4:4:4 Predictive": "high444",
}


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """Runs of frames, in order, that together make up the clip."""

    runs: tuple[tuple[int, int, bool], ...]
    """(start, stop, is_copied): frames, half-open."""
    copied: Mapping[int, CopiedRun]
    """First frame of a copied run -> its packets."""

    @property
    def num_copied(self) -> int:
        """Frames that are not encoded again."""
        return sum(stop - start for start, stop, is_copied in self.runs if is_copied)


def plan_copies(
    info: ClipInfo, encode: EncodePlan, table: FrameTable, swapped: Set[int], frames: tuple[int, int] | None = None
) -> CopyPlan:
    """Return which frames have to be rendered: from the first swapped frame of a group of pictures to the group's end.

    What stands before that frame in the group can be copied when nothing after it is needed to decode it.

    Args:
        swapped: numbers of the frames that will change.
        frames: the run of frames that is wanted, half-open; None = all.

    Raises:
        UnsupportedInputError: nothing can be copied; the message says why, to follow "because".
    """
    _check(info, encode)
    packets = read_source_packets(info)
    gops = gops_of(packets)
    shown = [pts for gop in gops for pts in sorted(gop.pts)]
    if not np.array_equal(shown, table.pts):
        raise UnsupportedInputError("its packets and its decoded frames do not correspond")
    first, last = frames or (0, len(table))
    runs: list[tuple[int, int, bool]] = []
    copied: dict[int, CopiedRun] = {}
    start = 0
    for gop in gops:
        stop = start + len(gop.pts)
        is_entered = start > 0 and not (runs and runs[-1][1] == start and runs[-1][2])
        part = gop.entered() if is_entered else gop
        begin = stop - len(part.pts)  # what an entered group leaves out is shown before the rest
        changed = next((i - begin for i in range(begin, stop) if i in swapped or i >= last), None)
        num_copied = _num_copied(part, changed) if begin >= first else 0  # a group cannot be entered in its middle
        _append(runs, max(start, first), min(begin, last), is_copied=False)
        if num_copied:
            _append(runs, begin, begin + num_copied, is_copied=True)
            run = copied.setdefault(runs[-1][0], CopiedRun((), gop.dts, is_entered and gop.is_open))
            restarts = run.restarts if gop.is_open or not run.pts else (*run.restarts, len(run.pts))
            copied[runs[-1][0]] = replace(run, pts=run.pts + part.pts[:num_copied], restarts=restarts)
        _append(runs, max(begin + num_copied, first), min(stop, last), is_copied=False)
        start = stop
    if not copied:
        raise UnsupportedInputError(
            "its groups of pictures are open, and H.264 can be cut at IDR pictures only"
            if len(gops) == 1 and any(packet.is_open for packet in packets)
            else "each of its groups of pictures begins with a face to swap"
        )
    return CopyPlan(tuple(runs), copied)


def matching_encoder(info: ClipInfo) -> str | None:
    """Return the encoder whose packets may stand beside those of a clip; None = no part of it can be copied."""
    return _ENCODERS.get(info.codec)


def fitted(encode: EncodePlan, info: ClipInfo) -> EncodePlan:
    """Return the plan with the source's own profile and level, so that its players cope with the encoded parts too."""
    profile = _X264_PROFILES.get(info.profile or "")
    if encode.codec != "libx264" or profile is None:
        return encode
    level = {} if info.level is None else {"level": f"{info.level / 10:.1f}"}
    return replace(encode, options={**encode.options, "profile": profile, **level})


def _check(info: ClipInfo, encode: EncodePlan) -> None:
    if info.codec not in COPYABLE:
        raise UnsupportedInputError(f"parts of {info.codec} clips cannot be copied")
    if encode.codec != _ENCODERS[info.codec]:
        raise UnsupportedInputError(f"{encode.codec} cannot stand beside {info.codec}; leave --codec out")
    if encode.layout != info.layout or encode.tags != info.tags:
        raise UnsupportedInputError(f"its pictures would be stored as {encode.pix_fmt}")


def _num_copied(gop: Gop, first_swapped: int | None) -> int:
    """Return how many packets from the start of a group can be copied.

    Args:
        first_swapped: place of the first frame to swap (or not wanted) in presentation order; None = there is none.
    """
    if first_swapped is None:
        return len(gop.pts)
    rank = {pts: i for i, pts in enumerate(sorted(gop.pts))}
    best = latest = 0
    for count, pts in enumerate(gop.pts, start=1):
        latest = max(latest, rank[pts])
        if latest >= first_swapped:
            break
        if latest == count - 1:  # the packets so far are the first frames, without a gap
            best = count
    return best


def _append(runs: list[tuple[int, int, bool]], start: int, stop: int, *, is_copied: bool) -> None:
    if start >= stop:
        return
    if runs and runs[-1][2] == is_copied:
        start = runs.pop()[0]
    runs.append((start, stop, is_copied))
