"""SEI user data in H.264 and H.265 packets: bytes that ride inside the picture stream and survive a stream copy.

Sources: ITU-T H.264 7.3.2.3 and D.1.6, H.265 7.3.2.4 (user_data_unregistered, payload type 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

_USER_DATA_UNREGISTERED = 5
_START_CODE = b"\x00\x00\x00\x01"
_H264_SEI, _H265_PREFIX_SEI = 6, 39
_H264_SLICES = range(1, 6)
_H265_SLICES = range(0, 32)
IDR = {"h264": (5,), "hevc": (19, 20)}
"""Unit types of the slices of IDR pictures: no later picture leans on an earlier one."""

CODECS = ("h264", "hevc")


def insert_user_data(packet: bytes, codec: str, uuid: bytes, payload: bytes) -> bytes:
    """Return an Annex B packet with a user-data SEI in front of its first slice.

    Args:
        codec: "h264" or "hevc".
        uuid: 16 bytes that name the kind of data.
    """
    nal = _sei_nal(codec, uuid + payload)
    for start, body in annex_b_units(packet):
        if _is_slice(body[0], codec):
            return packet[:start] + _START_CODE + nal + packet[start:]
    return packet


def find_user_data(packet: bytes, codec: str, uuid: bytes, extradata: bytes | None) -> bytes | None:
    """Return the payload stored under `uuid` in a packet, or None.

    Args:
        extradata: the stream's; "avcC"/"hvcC" (first byte 1) means that units are length-prefixed.
    """
    for body in _units(packet, codec, extradata):
        if unit_type(body[0], codec) != (_H264_SEI if codec == "h264" else _H265_PREFIX_SEI):
            continue
        for kind, data in _sei_messages(unit_content(body, codec)):
            if kind == _USER_DATA_UNREGISTERED and data[:16] == uuid:
                return data[16:]
    return None


def has_unit(packet: bytes, codec: str, kinds: Sequence[int], extradata: bytes | None) -> bool:
    """True when a packet holds a unit of one of some types.

    Args:
        codec, extradata: as in `find_user_data`.
    """
    return any(unit_type(body[0], codec) in kinds for body in _units(packet, codec, extradata))


def slices_of(packet: bytes, codec: str, extradata: bytes | None) -> list[bytes]:
    """Return the slices of a packet, which are its picture; of codecs without units the packet itself.

    Args:
        codec, extradata: as in `find_user_data`.
    """
    if codec not in CODECS:
        return [packet]
    return [body.rstrip(b"\0") for body in _units(packet, codec, extradata) if _is_slice(body[0], codec)]


def _units(packet: bytes, codec: str, extradata: bytes | None) -> Iterator[bytes]:
    extradata = extradata or b""
    is_prefixed = extradata[:1] == b"\x01"
    units = _length_prefixed_units(packet, codec, extradata) if is_prefixed else annex_b_units(packet)
    return (body for _, body in units)


def unit_type(first_byte: int, codec: str) -> int:
    """Return the type of a unit (nal_unit_type) by the first byte of its header; `codec` is "h264" or "hevc"."""
    return first_byte & 31 if codec == "h264" else first_byte >> 1 & 63


def _is_slice(first_byte: int, codec: str) -> bool:
    return unit_type(first_byte, codec) in (_H264_SLICES if codec == "h264" else _H265_SLICES)


def _sei_nal(codec: str, data: bytes) -> bytes:
    size = b"\xff" * (len(data) // 255) + bytes([len(data) % 255])
    header = bytes([_H264_SEI]) if codec == "h264" else bytes([_H265_PREFIX_SEI << 1, 1])
    return header + _escape(bytes([_USER_DATA_UNREGISTERED]) + size + data + b"\x80")


def _escape(data: bytes) -> bytes:
    """Insert the emulation prevention bytes (7.4.1.1): no start code may arise inside a unit."""
    result, zeros = bytearray(), 0
    for byte in data:
        if zeros == 2 and byte <= 3:
            result.append(3)
            zeros = 0
        result.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(result)


def unit_content(unit: bytes, codec: str) -> bytes:
    """Return a unit's bytes without its header and the emulation prevention."""
    return unit[1 if codec == "h264" else 2 :].replace(b"\x00\x00\x03", b"\x00\x00")


def _sei_messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 2 < len(data):
        numbers = []
        for _ in range(2):  # payload type, then size: runs of 0xff, then the rest
            value = 0
            while place < len(data) and data[place] == 255:
                value += 255
                place += 1
            if place >= len(data):
                return
            numbers.append(value + data[place])
            place += 1
        kind, size = numbers
        yield kind, data[place : place + size]
        place += size


def annex_b_units(packet: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset of the start code, unit) for each unit."""
    starts = []
    place = packet.find(b"\x00\x00\x01")
    while place >= 0:
        starts.append(place)
        place = packet.find(b"\x00\x00\x01", place + 3)
    for start, stop in pairwise([*starts, len(packet)]):
        body = packet[start + 3 : stop]
        if body:
            has_four = start > 0 and packet[start - 1] == 0
            yield start - has_four, body


def _length_prefixed_units(packet: bytes, codec: str, extradata: bytes) -> Iterator[tuple[int, bytes]]:
    size_place = 4 if codec == "h264" else 21
    if len(extradata) <= size_place:
        return
    width = (extradata[size_place] & 3) + 1
    place = 0
    while place + width < len(packet):
        size = int.from_bytes(packet[place : place + width], "big")
        body = packet[place + width : place + width + size]
        if not body:
            return
        yield place, body
        place += width + size
