"""The source's own packets: where its pictures can be cut apart without decoding, and the packets between two such places.

A place to cut is an IDR picture (H.264 unit type 5, H.265 types 19 and 20), never merely a key frame: pictures that follow
an open group's key frame lean on what stood before it. H.265 has a way in: its open groups begin with a CRA picture (21), and
when that is relabelled as a broken link (BLA, 18) and the pictures shown before it are left out, all others decode (ITU-T
H.265 8.1.3). In all-intra codecs every picture is a place to cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import av
from av.bitstream import BitStreamFilterContext

from faceswap.errors import UnsupportedInputError
from faceswap.media.packets import EncodedPicture, encoded_picture
from faceswap.media.probe import ClipInfo, open_input, pick_video_stream
from faceswap.media.sei import IDR, annex_b_units, has_unit, unit_type

_TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_ALL_INTRA = {"prores", "dnxhd", "mjpeg"}
COPYABLE = frozenset(_TO_ANNEX_B) | _ALL_INTRA
"""Codecs of which parts can be copied."""
_CRA, _BLA_N_LP = 21, 18


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """A packet of the picture stream, without its bytes."""

    pts: int
    dts: int | None
    is_cut: bool
    """The stream can be cut here: an IDR or CRA picture, or any of an all-intra codec."""
    is_open: bool
    """A key frame that later pictures can reach behind: CRA in H.265, all but IDR in H.264."""
    is_shown: bool
    """False: the container says that players skip it (edit lists)."""


@dataclass(frozen=True, slots=True)
class Gop:
    """Packets from one place to cut to the next, in decoding order; their frames follow each other without a gap."""

    pts: tuple[int, ...]
    dts: int | None = None
    """Decoding time of its first packet: where a seek has to go."""
    is_open: bool = False
    """Pictures shown before its first one may lean on the group before."""

    @property
    def first(self) -> int:
        return min(self.pts)

    @property
    def last(self) -> int:
        return max(self.pts)

    def entered(self) -> Gop:
        """Return what can be decoded when nothing of the group before is there."""
        return replace(self, pts=tuple(pts for pts in self.pts if pts >= self.pts[0])) if self.is_open else self


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """Packets that are copied in a row."""

    pts: tuple[int, ...]
    """In decoding order, as they stand in the file; only pictures that an entered open group leaves out are missing."""
    dts: int | None
    """Decoding time of the first; None = not known."""
    is_broken_link: bool = False
    """The first is a CRA picture that is entered from elsewhere."""
    restarts: tuple[int, ...] = (0,)
    """Places among the packets from which all following ones decode by themselves."""


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
                is_key, data = bool(packet.is_keyframe), bytes(packet)
                is_intra = codec in _ALL_INTRA
                is_idr = is_key and (is_intra or has_unit(data, codec, IDR[codec], extradata))
                is_cra = is_key and codec == "hevc" and has_unit(data, codec, (_CRA,), extradata)
                is_open = is_key and not is_idr
                found.append(
                    SourcePacket(int(packet.pts), packet.dts, is_idr or is_cra, is_open, not packet.is_discard)
                )
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
    gops = [
        Gop(tuple(p.pts for p in packets[a:b]), packets[a].dts, packets[a].is_open)
        for a, b in pairwise([*starts, len(packets)])
    ]
    if any(before.last >= after.first for before, after in pairwise(gops)):
        raise UnsupportedInputError("its groups of pictures overlap in time")
    return gops


def copied_packets(info: ClipInfo, run: CopiedRun) -> Iterator[EncodedPicture]:
    """Yield the source's packets of a run.

    H.264 and H.265 come in Annex B form with their parameter sets in front of each IDR or CRA picture.

    Raises:
        UnsupportedInputError: they are not found in this order.
    """
    # Seeking goes by decoding times here and by presentation times there; where it lands too late, from the start.
    for place in (min(run.pts) if run.dts is None else min(run.dts, *run.pts), None):
        has_begun = False
        for packet in _packets_from(info, place, run):
            has_begun = True
            yield packet
        if has_begun:
            return
    raise _not_found(info, run)


def _packets_from(info: ClipInfo, place: int | None, run: CopiedRun) -> Iterator[EncodedPicture]:
    """Yield the packets of a run after a seek to `place` (None = from the start); nothing if the first is not met."""
    wanted = deque(run.pts)
    with open_input(info.path) as container:
        stream = pick_video_stream(container, info.path, info.video_stream)
        if place is not None:
            container.seek(place, stream=stream, backward=True)
        bsf = BitStreamFilterContext(_TO_ANNEX_B[info.codec], stream) if info.codec in _TO_ANNEX_B else None
        for packet in container.demux(stream):
            has_begun = len(wanted) < len(run.pts)
            is_left_out = not has_begun or (run.is_broken_link and packet.size and packet.pts < run.pts[0])
            if not packet.size or (packet.pts != wanted[0] and is_left_out):
                continue
            if packet.pts != wanted[0]:
                break
            for copy in bsf.filter(packet) if bsf else [packet]:
                picture = encoded_picture(copy, info.time_base)
                is_link = run.is_broken_link and not has_begun
                yield replace(picture, data=as_broken_link(picture.data)) if is_link else picture
            wanted.popleft()
            if not wanted:
                return
    if len(wanted) < len(run.pts):
        raise _not_found(info, run)


def _not_found(info: ClipInfo, run: CopiedRun) -> UnsupportedInputError:
    return UnsupportedInputError(
        f"{info.path}: the pictures from {min(run.pts)} to {max(run.pts)} ticks are not found in order"
    )


def as_broken_link(packet: bytes) -> bytes:
    """Return an H.265 packet (Annex B) whose CRA slices are labelled BLA_N_LP: no picture shown before it follows.

    The slice headers of both have the same syntax (ITU-T H.265 7.3.6.1).
    """
    result = bytearray(packet)
    for start, body in annex_b_units(packet):
        if unit_type(body[0], "hevc") == _CRA:
            header = packet.index(b"\x01", start) + 1
            result[header] = body[0] & 0x81 | _BLA_N_LP << 1
    return bytes(result)
