"""Which container holds which codec, and which names its files bear."""

from __future__ import annotations

import os
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.media.encoders import ALIASES, ENCODERS, Encoder, find_encoder

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts", ".webm": "webm"}
"""Suffix -> FFmpeg's name of the container."""
_TITLES = {"mp4": "MP4", "mov": "QuickTime", "matroska": "Matroska", "mpegts": "MPEG-TS", "webm": "WebM"}
_SUFFIXES = {muxer: suffix for suffix, muxer in reversed(MUXERS.items())}
_WEBM_CODECS = {"vp8", "vp9", "av1"}
_MAX_NAME_BYTES = 255
"""Of a file name on all common file systems."""
NO_ROTATION = {"mpegts"}


def muxer_of(output: Path) -> str:
    """Return the container that a file name asks for.

    Raises:
        UsageError: none that we write.
    """
    muxer = MUXERS.get(output.suffix.lower())
    if muxer is None:
        raise UsageError(
            f"{output.name!r}: unknown kind of file {output.suffix!r}; use one of {', '.join(MUXERS)}, or for pictures a name "
            f"like {output.stem}_%06d.png"
        )
    return muxer


def check_pair(row: Encoder, muxer: str) -> None:
    """Raise UsageError unless `muxer` holds what the encoder makes."""
    fits = muxer in row.muxers if row.muxers else muxer != "webm" or row.codec in _WEBM_CODECS
    if fits:
        return
    codecs = [alias for alias, (name, _) in ALIASES.items() if muxer in ENCODERS[name].muxers]
    suffix = _SUFFIXES[row.muxers[0] if row.muxers else "matroska"]
    raise UsageError(
        f"{_TITLES[muxer]} cannot hold {row.title}; use an output in {suffix}, or --codec {' or '.join(codecs)}"
    )


def default_output(source: Path, suffix: str, codec: str = "libx264") -> Path:
    """Return `<stem><suffix>` beside the source, in its container family where that can hold the codec.

    Args:
        codec: friendly or FFmpeg's name of the encoder.
    """
    row, _ = find_encoder(codec)
    extension = source.suffix.lower()
    muxer = MUXERS.get(extension)
    holds = muxer in row.muxers if row.muxers else muxer not in (None, "webm")
    if not holds:
        # Matroska takes almost everything; editing codecs belong into QuickTime.
        extension = (
            ".mkv" if "matroska" in row.muxers and row.muxers[0] != "mov" else _SUFFIXES[(*row.muxers, "matroska")[0]]
        )
    end = suffix + extension
    stem = os.fsencode(source.stem)[: _MAX_NAME_BYTES - len(os.fsencode(end))]
    return source.with_name(stem.decode("utf-8", "ignore") + end)
