"""Which decoder a stream gets, and what a look at its first packets tells."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from faceswap.errors import UnsupportedInputError

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own VP8 and VP9 decoders pass over alpha, which WebM keeps beside the picture."""
_RATE_PACKETS = 60
_MAX_BARREN_PACKETS = 2000
"""Packets without a picture after which a stream is given up."""


def has_hidden_alpha(stream: Any) -> bool:
    """True when a WebM stream carries alpha beside its pictures."""
    codec = getattr(stream.codec_context, "name", None)
    return codec in _ALPHA_DECODERS and _alpha_mode(stream) == "1"


def _alpha_mode(stream: Any) -> str | None:
    return next((value for key, value in stream.metadata.items() if key.lower() == "alpha_mode"), None)


def decoder_for(stream: Any, *, with_alpha: bool) -> Any:
    """Return the codec context that decodes a stream, `with_alpha` also the alpha that FFmpeg's own decoder leaves out."""
    context = stream.codec_context
    if with_alpha and has_hidden_alpha(stream):
        try:
            decoder = av.CodecContext.create(_ALPHA_DECODERS[context.name], "r")
        except av.codec.codec.UnknownCodecError:
            return context  # this FFmpeg has no libvpx: the first look says that alpha is lost
        decoder.extradata = context.extradata
        return decoder
    return context


@dataclass(frozen=True, slots=True, eq=False)
class FirstLook:
    """The first decoded picture of a stream."""

    frame: Any
    """`av.VideoFrame`"""
    loses_alpha: bool
    """The stream carries alpha, the decoder at hand does not give it."""


def first_look(container: Any, stream: Any, path: Path) -> FirstLook:
    """Decode until the first picture appears.

    Raises:
        UnsupportedInputError: there is none, with the reason.
    """
    decoder = decoder_for(stream, with_alpha=True)
    num_packets = 0
    has_alpha_data = False
    is_encrypted = stream.codec_context.codec_tag in ("encv", "drmi")
    reason = "damaged"
    try:
        for packet in container.demux(stream):
            num_packets += packet.size > 0
            is_encrypted |= packet.size > 0 and _has_data(packet, "encryption")
            has_alpha_data |= packet.size > 0 and _has_data(packet, "block_additional")
            try:
                frames = decoder.decode(packet)
            except av.InvalidDataError:
                frames = []
            if frames:
                return FirstLook(frames[0], has_alpha_data and not _has_alpha(frames[0]))
            if num_packets > _MAX_BARREN_PACKETS:
                break
    except av.FFmpegError as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
    if is_encrypted:
        raise UnsupportedInputError(f"{path} is encrypted; decrypt it first, with the right to do so")
    if not num_packets:
        raise UnsupportedInputError(
            f"{path} holds no pictures: its video stream has zero frames; is the file complete?"
        )
    raise UnsupportedInputError(
        f"{path}: no picture can be decoded from the first {num_packets} packets of its {stream.codec_context.name} "
        f"stream ({reason}); copy or download it again"
    )


def _has_data(packet: Any, kind: str) -> bool:
    return any(kind in data.data_type for data in packet.iter_sidedata())


def _has_alpha(frame: Any) -> bool:
    return any(component.is_alpha for component in frame.format.components)


def measured_rate(container: Any, stream: Any) -> Fraction | None:
    """Return frames per second by the usual distance of the first pictures' times; None when they tell nothing."""
    times = []
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                times.append(packet.pts)
            if len(times) >= _RATE_PACKETS:
                break
    except av.FFmpegError:
        pass  # what was read before will do
    times = sorted(set(times))
    steps = sorted(later - sooner for sooner, later in itertools.pairwise(times))
    return 1 / (steps[len(steps) // 2] * Fraction(stream.time_base)) if steps else None
