"""Is all of the input there? What the container promises, against what came out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from faceswap.media.decoding import ONE_PICTURE_A_PACKET
from faceswap.media.probe import ClipInfo

_FRAME_COUNT_SLACK = 0.03
"""Share by which a container's table may list more frames than are shown: pictures that repeat, or are never shown."""
_FREE_FRAMES = 2
_MAX_BOXES = 100_000
_TS_PACKET, _TS_SYNC = 188, b"G"
_MATROSKA_ID = b"\x1a\x45\xdf\xa3"
_SEGMENT_ID = b"\x18\x53\x80\x67"


class DecodedReader(Protocol):
    """A reader after a whole pass."""

    info: ClipInfo
    num_damaged: int
    num_lost: int
    num_flawed: int


def shortfalls(reader: DecodedReader, num_frames: int) -> list[str]:
    """Return, one line each, what the input should have given in its last whole pass and did not; empty = all there."""
    notes = []
    if reader.num_damaged:
        notes.append(f"{reader.num_damaged} places of the input are damaged and did not decode")
    if reader.num_lost:
        notes.append(f"{reader.num_lost} frames of the input are lost; their times stay empty")
    if reader.num_flawed:
        notes.append(f"{reader.num_flawed} frames of the input are damaged; the decoder patched them up")
    promised = reader.info.num_promised
    if promised is not None and num_frames < _least(promised, reader.info):
        notes.append(
            f"the input holds {num_frames} of {promised} promised frames; it is cut off or its header is wrong"
        )
    missing = missing_bytes(reader.info.path)
    if missing:
        notes.append(f"the input ends {missing} bytes too early by its own account; it is cut off")
    return notes


def _least(promised: int, info: ClipInfo) -> float:
    is_exact = info.container.startswith("mov") and info.codec in ONE_PICTURE_A_PACKET
    return promised if is_exact else promised * (1 - _FRAME_COUNT_SLACK) - _FREE_FRAMES


def missing_bytes(path: Path) -> int:
    """Return how many bytes the outermost structure of a file promises beyond its end; 0 = whole, or not known.

    Knows MP4/MOV boxes, the Matroska/WebM segment, RIFF (AVI) and the packets of transport streams.
    """
    if not path.is_file():
        return 0
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == _MATROSKA_ID:
            end = _matroska_end(file)
        elif head[:4] == b"RIFF":
            end = _riff_end(file, size)
        elif _is_transport_stream(file):
            end = -(-size // _TS_PACKET) * _TS_PACKET
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"):
            end = _boxes_end(file, size)
        else:
            return 0
    return max(0, end - size)


def _is_transport_stream(file: BinaryIO) -> bool:
    syncs = []
    for number in range(3):
        file.seek(number * _TS_PACKET)
        syncs.append(file.read(1))
    return syncs == [_TS_SYNC] * 3


def _boxes_end(file: BinaryIO, size: int) -> int:
    end = 0
    for _ in range(_MAX_BOXES):
        file.seek(end)
        header = file.read(16)
        if len(header) < 8:
            return end + 8 if header else end
        length, first = int.from_bytes(header[:4], "big"), 8
        if length == 0:  # to the end of the file
            return size
        if length == 1:
            length, first = int.from_bytes(header[8:16], "big"), 16
        is_box = length >= first and header[4:8].isascii()
        if not is_box:  # rubbish behind the last box: nothing is promised
            return end
        end += length
        if end >= size:
            return end
    return end


def _riff_end(file: BinaryIO, size: int) -> int:
    """Return where the last RIFF chunk ends; OpenDML files hold several."""
    end = 0
    while end < size:
        file.seek(end)
        header = file.read(8)
        if len(header) < 8 or header[:4] != b"RIFF":
            return end
        length = int.from_bytes(header[4:8], "little")
        if length == 0:  # a recording that was never finished
            return size
        end += 8 + length
    return end


def _matroska_end(file: BinaryIO) -> int:
    file.seek(4)
    header_size = _element_size(file.read)
    if header_size is None:
        return 0
    file.seek(header_size, 1)
    if file.read(4) != _SEGMENT_ID:
        return 0
    segment_size = _element_size(file.read)
    return 0 if segment_size is None else file.tell() + segment_size


def _element_size(read: Callable[[int], bytes]) -> int | None:
    """Return the number that follows an element's id (EBML variable length); None = unknown (live recordings)."""
    first = read(1)
    if not first or not first[0]:
        return None
    num_bytes = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> num_bytes)]) + read(num_bytes - 1), "big")
    return None if value == 2 ** (7 * num_bytes) - 1 else value
