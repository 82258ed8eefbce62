"""Interlaced clips: which field comes first, and encoders that keep it.

The frames' own flags are the truth. PyAV shows one of them (interlaced or not) and can set none, but FFmpeg's filters
can do both: `select` asks which field is first, `setfield` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

from faceswap.errors import UsageError
from faceswap.types import FieldOrder

INTERLACED_ENCODERS = ("libx264", "prores_ks", "ffv1")
"""Those whose frames were read back with the right field first. libx265 swaps it from frame to frame, others drop it."""
_INTERLACED_DCT, _INTERLACED_ME = 1 << 18, 1 << 29
# AVFieldOrder: "tt" and "bb" store the fields one after the other, "tb" and "bt" line by line, the upper one first in
# time in "tt" and "tb" (in spite of FFmpeg's comment: QuickTime's 9 and 14, Matroska's the same).
_FIELD_ORDERS: dict[int, FieldOrder] = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
_CODES, _X264_CODES = {"tff": 4, "bff": 5}, {"tff": 2, "bff": 3}


def field_order_of(context: Any, frame: Any) -> FieldOrder | None:
    """Return which field of a decoded frame is first, None for a progressive one.

    Args:
        context: the stream's codec context: what the container says, for codecs that flag no frames.
    """
    said = _FIELD_ORDERS.get(int(context.field_order or 0))
    if not frame.interlaced_frame:
        # Decoders of these know nothing of fields: their frames all look progressive.
        return said if context.name in _UNFLAGGED_CODECS else None
    if context.name == "hevc":
        return None  # HEVC codes fields as pictures of their own: its frames are never woven from two
    return "tff" if _is_upper_first(frame) else "bff"


_UNFLAGGED_CODECS = ("rawvideo", "v210", "utvideo", "huffyuv", "ffvhuff", "mjpeg", "jpeg2000", "qtrle", "cfhd")


def _is_upper_first(frame: Any) -> bool:
    graph = Graph()
    source = _buffer(graph, (frame.height, frame.width), frame.format.name, Fraction(1, 25))
    chosen, sink = graph.add("select", "eq(interlace_type,TOPFIRST)"), graph.add("buffersink")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    graph.push(frame)
    try:
        graph.pull()
    except (av.BlockingIOError, av.EOFError):
        return False
    return True


def _buffer(graph: Any, size: tuple[int, int], pix_fmt: str, time_base: Fraction) -> Any:
    return graph.add_buffer(width=size[1], height=size[0], format=pix_fmt, time_base=time_base)


def check_interlaced_encoder(codec: str, field_order: FieldOrder | None) -> None:
    """Raise if an encoder cannot keep the fields.

    Raises:
        UsageError: with encoders that can.
    """
    if field_order is not None and codec not in INTERLACED_ENCODERS:
        raise UsageError(
            f"the clip is interlaced, which {codec} does not keep; use --codec {', '.join(INTERLACED_ENCODERS[:-1])} "
            f"or {INTERLACED_ENCODERS[-1]}, or deinterlace the clip first (FFmpeg's filter bwdif)"
        )


def encode_interlaced(context: Any, field_order: FieldOrder | None) -> None:
    """Set up an encoder, before it opens, for interlaced frames; nothing for progressive ones."""
    if field_order is not None:
        context.flags |= _INTERLACED_DCT | _INTERLACED_ME
        # x264 writes "bt" into its headers as upper field first.
        context.field_order = (_X264_CODES if context.name == "libx264" else _CODES)[field_order]


def field_flagger(
    field_order: FieldOrder | None, size: tuple[int, int], pix_fmt: str, time_base: Fraction
) -> Callable[[Any], Any]:
    """Return a function that hands back an `av` frame flagged with a field order; as it is when progressive."""
    if field_order is None:
        return lambda picture: picture
    graph = Graph()
    source = _buffer(graph, size, pix_fmt, time_base)
    setter, sink = graph.add("setfield", field_order), graph.add("buffersink")
    source.link_to(setter)
    setter.link_to(sink)
    graph.configure()

    def flagged(picture: Any) -> Any:
        graph.push(picture)
        return graph.pull()

    return flagged
