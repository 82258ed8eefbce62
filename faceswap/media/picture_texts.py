"""Texts inside picture files: what a picture says about itself, beside its pixels.

PNG: iTXt chunks (PNG 3rd edition, 11.3.3.4). TIFF: tags 270 and 700. OpenEXR: string attributes of the header, which is
simple enough to be read without the OpenEXR package.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faceswap.errors import UnsupportedInputError

SUFFIXES = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".exr": "exr"}
"""Suffix -> format of the pictures that can hold texts."""
XMP_KEYWORD, MARK_KEYWORD = "XML:com.adobe.xmp", "faceswap"
"""The keyword that the PNG registry gives to XMP packets, and ours."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXR_MAGIC = b"\x76\x2f\x31\x01"
_MAX_TEXT, _MAX_ENTRIES = 1 << 16, 1000


@dataclass(frozen=True, slots=True)
class PictureTexts:
    """What every picture carries."""

    statement: str
    """The mark as one line of JSON."""
    xmp: str
    """The XMP packet."""


def png_with_texts(data: bytes, texts: PictureTexts, extra: Mapping[bytes, bytes] | None = None) -> bytes:
    """Return a PNG file with the texts behind its header.

    Args:
        extra: other chunks (type -> content) to put there.
    """
    header_end = len(_PNG_SIGNATURE) + 25  # IHDR is always first, with 13 bytes of content
    chunks = [_chunk(kind, content) for kind, content in (extra or {}).items()]
    for keyword, text in ((XMP_KEYWORD, texts.xmp), (MARK_KEYWORD, texts.statement)):
        # Not compressed, no language, no translated keyword.
        chunks.append(_chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()))
    return data[:header_end] + b"".join(chunks) + data[header_end:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def read_texts(path: Path) -> dict[str, str]:
    """Return the texts of a picture: keys `XMP_KEYWORD` and `MARK_KEYWORD`, those that are there.

    Raises:
        UnsupportedInputError: not a picture of a kind that holds texts, or damaged.
    """
    readers = {"png": _png_texts, "tiff": _tiff_texts, "exr": _exr_texts}
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise UnsupportedInputError(f"{path}: marks can be read from {', '.join(SUFFIXES)} pictures only")
    try:
        found = readers[kind](path)
        return {key: text for key, text in found if key in (XMP_KEYWORD, MARK_KEYWORD)}
    except (OSError, ValueError, struct.error, IndexError, EOFError) as error:
        raise UnsupportedInputError(f"{path} cannot be read as a {kind.upper()} picture ({error})") from error


def _png_texts(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        if file.read(8) != _PNG_SIGNATURE:
            raise ValueError("it does not begin like one")
        for _ in range(_MAX_ENTRIES):
            head = file.read(8)
            if len(head) < 8:
                return
            length, kind = struct.unpack(">I4s", head)
            if kind != b"iTXt" or length > _MAX_TEXT:
                file.seek(length + 4, 1)
                continue
            content, crc = file.read(length), file.read(4)
            if crc != struct.pack(">I", zlib.crc32(kind + content)):
                continue
            keyword, _, rest = content.partition(b"\0")
            if rest[:2] == b"\0\0":
                text = rest[2:].split(b"\0", 2)[-1]
                yield keyword.decode("latin-1"), text.decode("utf-8", errors="replace")


def _tiff_texts(path: Path) -> Iterator[tuple[str, str]]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            for code, key in ((700, XMP_KEYWORD), (270, MARK_KEYWORD)):
                if code in tags:
                    value = tags[code].value
                    yield key, value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from error


def _exr_texts(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if head[:4] != _EXR_MAGIC:
        raise ValueError("it does not begin like one")
    place = 8  # behind magic number and version
    for _ in range(_MAX_ENTRIES):
        name_end = head.index(b"\0", place)
        if name_end == place:
            return
        kind_end = head.index(b"\0", name_end + 1)
        (length,) = struct.unpack_from("<I", head, kind_end + 1)
        start = kind_end + 5
        if head[name_end + 1 : kind_end] == b"string" and length <= _MAX_TEXT:
            key = {"xmp": XMP_KEYWORD}.get(name := head[place:name_end].decode("latin-1"), name)
            yield key, head[start : start + length].decode("utf-8", errors="replace")
        place = start + length
