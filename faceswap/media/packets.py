"""Packet files: the encoded pictures of one segment, waiting to be put into the final container.

No container will do: Matroska rounds times to 1 ms, NUT refuses ProRes, MOV refuses FFV1. So it is a plain list: a magic
line, then for each packet, in decoding order, a little-endian header (pts i64, duration i64, key frame u8, size u32) and
its bytes. Times are ticks of the clip's own time base. Decoding times are not stored: they follow from the order
(`decode_times`), which is what lets segments of several encoders be joined.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO

from faceswap.errors import UnsupportedInputError

_MAGIC = b"faceswap packets 1\n"
_HEADER = struct.Struct("<qqBI")


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One packet of the picture stream."""

    pts: int
    """Ticks of the clip's time base."""
    duration: int
    """The same; 0 = unknown."""
    is_key: bool
    data: bytes


def encoded_picture(packet: Any, time_base: Fraction) -> EncodedPicture:
    """Return an `av` packet of the picture stream with its times in ticks of `time_base`; rescales the packet itself."""
    if packet.time_base is not None and packet.time_base != time_base:
        packet.rescale_ts(time_base)
    return EncodedPicture(int(packet.pts), int(packet.duration or 0), bool(packet.is_keyframe), bytes(packet))


class PacketFile:
    """Writes packets one after the other; `close` before reading them."""

    def __init__(self, path: Path) -> None:
        self.pts: list[int] = []
        """Of the packets written, in decoding order."""
        self._digest = hashlib.sha256()
        self._file: BinaryIO = path.open("wb")
        self._write(_MAGIC)

    @property
    def sha256(self) -> str:
        """Hex digest of everything written so far."""
        return self._digest.hexdigest()

    def write(self, pictures: Iterable[EncodedPicture]) -> None:
        """Append packets."""
        for picture in pictures:
            header = _HEADER.pack(picture.pts, picture.duration, picture.is_key, len(picture.data))
            self._write(header + picture.data)
            self.pts.append(picture.pts)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)

    def close(self) -> None:
        """Write everything to the disk and let go of the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abort(self) -> None:
        """Let go of the file, which is the caller's to delete."""
        with suppress(OSError):
            self._file.close()


def read_packets(path: Path) -> Iterator[EncodedPicture]:
    """Yield the packets of a file in decoding order.

    Raises:
        UnsupportedInputError: not a packet file, or cut off.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UnsupportedInputError(f"{path} is not a packet file; delete its folder and repeat the command")
        while header := file.read(_HEADER.size):
            pts, duration, is_key, size = _HEADER.unpack(_whole(header, _HEADER.size, path))
            yield EncodedPicture(pts, duration, bool(is_key), _whole(file.read(size), size, path))


def read_packet_times(path: Path) -> list[int]:
    """Return the presentation times of a file's packets in decoding order, without reading the packets."""
    times = []
    with path.open("rb") as file:
        file.seek(len(_MAGIC))
        while header := file.read(_HEADER.size):
            pts, _, _, size = _HEADER.unpack(_whole(header, _HEADER.size, path))
            times.append(pts)
            file.seek(size, os.SEEK_CUR)
    return times


def _whole(data: bytes, size: int, path: Path) -> bytes:
    if len(data) != size:
        raise UnsupportedInputError(f"{path} is cut off; delete its folder and repeat the command")
    return data


def reorder_depth(pts: Sequence[int]) -> int:
    """Return how many packets later than in presentation order the latest packet comes: the delay a decoder needs.

    Args:
        pts: in decoding order, all different.
    """
    rank = {value: i for i, value in enumerate(sorted(pts))}
    return max((place - rank[value] for place, value in enumerate(pts)), default=0)


def decode_times(pts: Sequence[int], depth: int) -> list[int]:
    """Return a decoding time for each packet: rising, and never later than its presentation.

    It is the sorted list of presentation times, `depth` places later; the first ones are continued backwards at the
    clip's usual step, as encoders do.

    Args:
        pts: ticks, in decoding order, all different. depth: at least `reorder_depth(pts)`.
    """
    ordered = sorted(pts)
    gaps = sorted(b - a for a, b in pairwise(ordered))
    step = gaps[len(gaps) // 2] if gaps else 1
    before = list(accumulate([-step] * depth, initial=ordered[0]))[:0:-1] if ordered else []
    return [*before, *ordered][: len(ordered)]
