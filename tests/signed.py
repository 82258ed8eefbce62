"""What two outputs of the same conversion have in common: everything but the signed manifest."""

from __future__ import annotations

import struct
from pathlib import Path

import av

PNG_MANIFEST = b"caBX"


def content_of(path: Path) -> bytes:
    """Return a file without its C2PA manifest; of a sidecar nothing.

    Of MP4 and QuickTime: all packets with their times and flags, headers and tags. The manifest's box moves them, so that
    the tables of places in the file differ too.
    """
    if path.suffix == ".c2pa":
        return b""
    if path.suffix == ".png":
        return _png_without_manifest(path.read_bytes())
    if path.suffix in (".mp4", ".mov"):
        return _streams_of(path)
    return path.read_bytes()


def _png_without_manifest(data: bytes) -> bytes:
    kept, place = data[:8], 8
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if kind != PNG_MANIFEST:
            kept += data[place:end]
        place = end
    return kept


def _streams_of(path: Path) -> bytes:
    parts: list[object] = []
    with av.open(str(path)) as container:
        parts.append(sorted(container.metadata.items()))
        for stream in container.streams:
            context = stream.codec_context
            parts.append((stream.type, stream.time_base, stream.metadata, context.name, context.extradata))
        for packet in container.demux():
            if packet.size:
                parts.append((packet.stream_index, packet.pts, packet.dts, packet.duration, packet.is_keyframe))
                parts.append(bytes(packet))
    return repr(parts).encode()
