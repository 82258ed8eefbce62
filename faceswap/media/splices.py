"""Is a spliced clip what it should be? Copied packets are compared byte for byte, pictures around the splices are decoded.

A picture is its slices. When all slices from one restart on (an IDR picture, or where a run is entered) are the source's, so
are the pictures: only at a run's ends can something come between, so that is where both are decoded and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from faceswap.errors import UnsupportedInputError
from faceswap.media.digest import frame_digest
from faceswap.media.gops import CopiedRun, copied_packets
from faceswap.media.marks import packet_times
from faceswap.media.probe import ClipInfo, open_input, pick_video_stream
from faceswap.media.reader import VideoReader
from faceswap.media.sei import slices_of

_LEAST_DECODED = 12
"""Packets at each end of a copied run that are decoded: more than any reordering or leading pictures reach."""


@dataclass(frozen=True, slots=True)
class SpliceRun:
    """Packets in a row of the output's picture stream."""

    length: int
    copied: CopiedRun | None
    """None: they were encoded."""

    def is_decoded(self, place: int) -> bool:
        """True for packets that are fed to the decoder."""
        if self.copied is None:
            return True
        restarts = self.copied.restarts
        head = next((at for at in restarts if at >= _LEAST_DECODED), self.length)
        tail = max((at for at in restarts if at <= self.length - _LEAST_DECODED), default=0)
        return place < head or place >= tail or head >= tail


class SpliceError(UnsupportedInputError):
    """A spliced clip is not what it should be."""


def check_splices(
    path: Path,
    source: ClipInfo,
    runs: Sequence[SpliceRun],
    digests: Sequence[int],
    on_packet: Callable[[int], None],
    *,
    is_source_whole: bool,
) -> None:
    """Compare a spliced clip with its source.

    Args:
        runs: of its picture stream (the first video stream), in order.
        digests: of the source's frames in it (`frame_digest`).
        on_packet: told how many packets have been looked at; may raise to stop.
        is_source_whole: False = damaged pictures may come along.

    Raises:
        SpliceError: packets or pictures differ, are missing or damaged.
    """
    reader = VideoReader(path, 0)
    numbers = {time: number for number, time in enumerate(packet_times(path, 0))}
    if len(numbers) != len(digests):
        raise SpliceError(f"it holds {len(numbers)} of {len(digests)} frames")
    is_copied = [run.copied is not None for run in runs for _ in range(run.length)]
    with open_input(path) as container:
        stream = pick_video_stream(container, path, 0)
        stream.codec_context.thread_type = "AUTO"
        num_decoded = 0
        for count, packets in enumerate(_feeds(container, stream, source, runs, on_packet)):
            if count:
                stream.codec_context.flush_buffers()
            for decoded in _decoded(stream.codec_context, packets):
                number = numbers[decoded.pts * stream.time_base]
                num_decoded += 1
                if is_copied[number] and frame_digest(reader.frame_of(decoded, number, 0)) != digests[number]:
                    raise SpliceError(f"frame {number} decodes to another picture")
                if decoded.is_corrupt and is_source_whole:
                    raise SpliceError(f"frame {number} is damaged")
        num_fed = sum(run.is_decoded(place) for run in runs for place in range(run.length))
        if num_decoded != num_fed:
            raise SpliceError(f"{num_decoded} of {num_fed} frames decode")


def _feeds(
    container: Any, stream: Any, source: ClipInfo, runs: Sequence[SpliceRun], on_packet: Callable[[int], None]
) -> Iterator[Iterator[Any]]:
    """Yield stretches of packets to decode, each by itself; all that lies between is compared with the source."""
    packets = _compared(container, stream, source, runs, on_packet)
    waiting = next(packets, None)

    def stretch() -> Iterator[Any]:
        nonlocal waiting
        while waiting is not None and waiting[1]:
            yield waiting[0]
            waiting = next(packets, None)

    while waiting is not None:
        yield stretch()
        while waiting is not None and not waiting[1]:
            waiting = next(packets, None)


def _compared(
    container: Any, stream: Any, source: ClipInfo, runs: Sequence[SpliceRun], on_packet: Callable[[int], None]
) -> Iterator[tuple[Any, bool]]:
    """Yield each packet of the output, and whether it is to be decoded, after comparing it with the source's."""
    written = (packet for packet in container.demux(stream) if packet.size)
    codec, extradata = stream.codec_context.codec.canonical_name, stream.codec_context.extradata
    count = 0
    for run in runs:
        originals = copied_packets(source, run.copied) if run.copied else None
        for place in range(run.length):
            packet = next(written, None)
            if packet is None:
                raise SpliceError(f"it ends after {count} packets")
            if originals is not None:
                original = next(originals)
                if slices_of(bytes(packet), codec, extradata) != slices_of(original.data, codec, None):
                    raise SpliceError(f"packet {count} is not the source's")
            count += 1
            on_packet(count)
            yield packet, run.is_decoded(place)
    if next(written, None) is not None:
        raise SpliceError(f"it holds more than {count} packets")


def _decoded(context: Any, packets: Iterator[Any]) -> Iterator[Any]:
    try:
        for packet in packets:
            yield from context.decode(packet)
        yield from context.decode(None)
    except av.FFmpegError as error:
        raise SpliceError(f"a packet does not decode ({error.strerror})") from error
