"""The source's own packets: where its pictures can be cut apart without decoding, and the packets between two such places.

A place to cut is an IDR picture (H.264 unit type 5, H.265 types 19 and 20), never merely a key frame: pictures that follow
an open GOP's key frame lean on what stood before it. In all-intra codecs every picture is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

from faceswap.errors import UnsupportedInputError
from faceswap.media.packets import EncodedPicture
from faceswap.media.probe import ClipInfo, open_input, pick_video_stream
from faceswap.media.sei import has_idr

_TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_ALL_INTRA = {"prores", "dnxhd", "mjpeg"}
COPYABLE = frozenset(_TO_ANNEX_B) | _ALL_INTRA
"""Codecs of which parts can be copied."""


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """A packet of the picture stream, without its bytes."""

    pts: int
    dts: int | None
    is_cut: bool
    """An IDR picture, or a picture of an all-intra codec: nothing from here on leans on what came before."""
    is_shown: bool
    """False: the container says that players skip it (edit lists)."""


@dataclass(frozen=True, slots=True)
class Gop:
    """Packets from one place to cut to the next, in decoding order; their frames follow each other without a gap."""

    pts: tuple[int, ...]
    dts: int | None = None
    """Decoding time of its first packet: where a seek has to go."""

    @property
    def first(self) -> int:
        return min(self.pts)

    @property
    def last(self) -> int:
        return max(self.pts)


def read_source_packets(info: ClipInfo) -> list[SourcePacket]:
    """Return the packets of the picture stream in decoding order, by reading the file once without decoding.

    Raises:
        UnsupportedInputError: a packet without a time, or a file that cannot be read to its end.
    """
    found = []
    with open_input(info.path) as container:
        stream = pick_video_stream(container, info.path, info.video_stream)
        codec, extradata = info.codec, stream.codec_context.extradata
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if packet.pts is None or packet.is_corrupt:
                    raise UnsupportedInputError(f"{info.path} has packets without times, or damaged ones")
                is_cut = bool(packet.is_keyframe) and (codec in _ALL_INTRA or has_idr(bytes(packet), codec, extradata))
                found.append(SourcePacket(int(packet.pts), packet.dts, is_cut, not packet.is_discard))
        except av.FFmpegError as error:
            raise UnsupportedInputError(f"{info.path} cannot be read to its end ({error.strerror})") from error
    return found


def gops_of(packets: list[SourcePacket]) -> list[Gop]:
    """Return the runs of packets between places to cut.

    Raises:
        UnsupportedInputError: frames of neighbouring runs interleave, or some are hidden by the container.
    """
    if not packets or not packets[0].is_cut:
        raise UnsupportedInputError("its first picture needs earlier ones")
    if not all(packet.is_shown for packet in packets):
        raise UnsupportedInputError("its edit list hides some pictures")
    starts = [i for i, packet in enumerate(packets) if packet.is_cut]
    gops = [Gop(tuple(p.pts for p in packets[a:b]), packets[a].dts) for a, b in pairwise([*starts, len(packets)])]
    if any(before.last >= after.first for before, after in pairwise(gops)):
        raise UnsupportedInputError("its groups of pictures overlap in time")
    return gops


def copied_packets(info: ClipInfo, pts: tuple[int, ...], dts: int | None = None) -> Iterator[EncodedPicture]:
    """Yield the source's packets with the given times, the first of which is a place to cut.

    H.264 and H.265 come in Annex B form with their parameter sets in front of each IDR picture.

    Args:
        pts: in decoding order, as they stand in the file without a gap.
        dts: decoding time of the first; None = not known.

    Raises:
        UnsupportedInputError: they are not found there.
    """
    # Seeking goes by decoding times here and by presentation times there; where it lands too late, from the start.
    for place in (min(pts) if dts is None else min(dts, *pts), None):
        has_begun = False
        for packet in _packets_from(info, place, pts):
            has_begun = True
            yield packet
        if has_begun:
            return
    raise UnsupportedInputError(f"{info.path}: the pictures from {min(pts)} to {max(pts)} ticks are not found in order")


def _packets_from(info: ClipInfo, place: int | None, pts: tuple[int, ...]) -> Iterator[EncodedPicture]:
    """Yield the packets with the given times after a seek to `place` (None = from the start); nothing if the first is not met.

    Raises:
        UnsupportedInputError: others stand between them.
    """
    with open_input(info.path) as container:
        stream = pick_video_stream(container, info.path, info.video_stream)
        if place is not None:
            container.seek(place, stream=stream, backward=True)
        bsf = BitStreamFilterContext(_TO_ANNEX_B[info.codec], stream) if info.codec in _TO_ANNEX_B else None
        wanted = iter(pts)
        following = next(wanted)
        has_begun = False
        for packet in container.demux(stream):
            if not packet.size or (not has_begun and packet.pts != following):
                continue
            if packet.pts != following:
                break
            has_begun = True
            yield from (_encoded(p, info.time_base) for p in (bsf.filter(packet) if bsf else [packet]))
            ahead = next(wanted, None)
            if ahead is None:
                return
            following = ahead
    if not has_begun:
        return
    raise UnsupportedInputError(f"{info.path}: the pictures from {min(pts)} to {max(pts)} ticks are not found in order")


def _encoded(packet: Any, time_base: Fraction) -> EncodedPicture:
    if packet.time_base != time_base:
        packet.rescale_ts(time_base)
    return EncodedPicture(int(packet.pts), int(packet.duration or 0), bool(packet.is_keyframe), bytes(packet))
