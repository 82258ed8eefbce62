"""What a stream says of its colours, and what is taken for granted where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faceswap.media.h273 import BT2020, FULL_RANGE, MATRICES, UNSAID_RANGE, UNSPECIFIED
from faceswap.media.layouts import is_gray
from faceswap.media.siting import siting_of
from faceswap.types import ColorInfo, PlaneLayout

_HD_WIDTH, _SD_HEIGHT = 1280, 576
_CENTER_SITED = {"mjpeg", "mpeg1video"}
_STUDIO_BY_STANDARD = {"h264", "hevc", "vvc", "av1", "libdav1d", "vp9"}
"""Codecs whose untagged video is studio range, gray or not; others write gray pictures in full range."""


@dataclass(frozen=True, slots=True)
class ColorTags:
    """The raw H.273 numbers of the stream, carried to the output unchanged; 2 = unspecified."""

    primaries: int
    transfer: int
    matrix: int
    range: int
    """0 = unspecified, 1 = studio, 2 = full (`h273`)."""


def color_tags(frame: Any, context: Any) -> ColorTags:
    """Return the tags of a decoded frame; where it has none, those of the container."""

    def first(of_frame: int, of_stream: int, unspecified: int) -> int:
        return int(of_stream) if int(of_frame) == unspecified else int(of_frame)

    return ColorTags(
        first(frame.color_primaries, context.color_primaries, UNSPECIFIED),
        first(frame.color_trc, context.color_trc, UNSPECIFIED),
        first(frame.colorspace, context.colorspace, UNSPECIFIED),
        first(frame.color_range, context.color_range, UNSAID_RANGE),
    )


def color_info(
    tags: ColorTags, frame: Any, layout: PlaneLayout, bits: int, context: Any
) -> tuple[ColorInfo, list[str]]:
    """Return how the samples of a stream are to be read, and what of it was guessed, in words.

    Args:
        frame: the first decoded `av.VideoFrame`. layout, bits: what it is stored as. context: of the stream's codec.
    """
    if layout.is_rgb:
        return ColorInfo(matrix="rgb", full_range=True, bit_depth=bits), []
    full = _is_full_range(tags, frame.format.name, context.name)
    siting = _siting(tags, context)
    matrix = MATRICES.get(tags.matrix)
    if matrix in (None, "rgb"):
        is_hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
        guess = "bt709" if is_hd else "bt601"
        said = (
            "does not say its YUV matrix" if tags.matrix == UNSPECIFIED else f"has the YUV matrix {tags.matrix} (H.273)"
        )
        notes = [f"the clip {said}; {guess} is taken, as is usual for {frame.width}x{frame.height}"]
        return ColorInfo(guess, full, bits, siting, is_guessed=True), notes
    return ColorInfo(matrix, full, bits, siting), []


def _is_full_range(tags: ColorTags, pix_fmt: str, codec: str) -> bool:
    if tags.range == UNSAID_RANGE and is_gray(pix_fmt):
        return codec not in _STUDIO_BY_STANDARD
    return tags.range == FULL_RANGE or pix_fmt.startswith("yuvj")


def _siting(tags: ColorTags, context: Any) -> str:
    said = siting_of(context.name, context.extradata)
    if said is not None:
        return said
    if context.name in _CENTER_SITED:
        return "center"
    is_bt2020 = tags.primaries == BT2020 or MATRICES.get(tags.matrix) == "bt2020"
    return "topleft" if is_bt2020 else "left"
