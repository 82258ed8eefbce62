"""Pixel formats: which planes a frame has, and which format an encoder can take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import av

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.types import PlaneLayout

# Formats whose samples are interleaved, and the planar format that holds the very same values.
_PLANAR_EQUIVALENT = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
    "p010le": "yuv420p10le",
    "p016le": "yuv420p16le",
    "p210le": "yuv422p10le",
    "rgb24": "gbrp",
    "bgr24": "gbrp",
    "rgb0": "gbrp",
    "bgr0": "gbrp",
    "0rgb": "gbrp",
    "0bgr": "gbrp",
    "pal8": "gbrap",
    "rgba": "gbrap",
    "bgra": "gbrap",
    "argb": "gbrap",
    "abgr": "gbrap",
    "rgb48le": "gbrp16le",
    "rgba64le": "gbrap16le",
}


def planar_name(pix_fmt: str) -> str:
    """Return the planar format that a decoder's format is stored as; yuvj* are yuv* with full range."""
    return _PLANAR_EQUIVALENT.get(pix_fmt, pix_fmt).replace("yuvj", "yuv")


@lru_cache(maxsize=64)
def layout_of(pix_fmt: str) -> tuple[PlaneLayout, int]:
    """Return the plane layout and bit depth of a planar pixel format.

    Raises:
        UnsupportedInputError: fewer than three planes, big-endian, float, or more than 16 bits.
    """
    video_format = av.VideoFormat(pix_fmt)
    components = video_format.components
    bits = components[0].bits if components else 0
    planes = {component.plane for component in components}
    if len(components) < 3 or len(planes) != len(components) or not 8 <= bits <= 16 or video_format.is_big_endian:
        raise UnsupportedInputError(
            f"pixel format {pix_fmt!r} cannot be worked on yet; convert the clip to yuv420p, yuv422p or yuv444p (8 to 16 bit)"
        )
    shift_y = 16 // video_format.chroma_height(16)
    shift_x = 16 // video_format.chroma_width(16)
    return PlaneLayout(pix_fmt, (shift_y.bit_length() - 1, shift_x.bit_length() - 1)), bits


def encodable_layout(pix_fmt: str) -> PlaneLayout:
    """Return the layout of a format that an encoder takes; interleaved ones get the subsampling of their planar twin."""
    return PlaneLayout(pix_fmt, layout_of(planar_name(pix_fmt))[0].chroma_shift)


def encodable_format(codec: str, wanted: str, offered: Sequence[str] | None = None) -> tuple[str, list[str]]:
    """Return the pixel format nearest to `wanted` that an encoder takes, and what is lost on the way.

    Args:
        codec: FFmpeg's name of the encoder.
        offered: formats to choose from, interleaved ones too; None = the planar ones of the encoder.

    Raises:
        UsageError: no such encoder, or it takes no picture format at all.
    """
    if offered is None:
        try:
            named = [f.name for f in av.Codec(codec, "w").video_formats or []]
        except av.codec.codec.UnknownCodecError as error:
            raise UsageError(f"no encoder {codec!r} in this FFmpeg; try libx264, libx265, ffv1 or prores_ks") from error
        offered = named if wanted in named else [name for name in named if _is_plain(name)]
    if wanted in offered:
        return wanted, []
    if not offered:
        raise UsageError(f"{codec!r} does not encode pictures; try libx264, libx265, ffv1 or prores_ks")
    best = min(offered, key=lambda name: _distance(wanted, planar_name(name)))
    return best, [] if planar_name(best) == wanted else _losses(wanted, planar_name(best))


def _is_plain(name: str) -> bool:
    try:
        layout_of(name)
    except UnsupportedInputError:
        return False
    return "yuvj" not in name


def _traits(name: str) -> tuple[bool, int, int, bool]:
    layout, bits = layout_of(name)
    return layout.is_rgb, bits, -sum(layout.chroma_shift), len(av.VideoFormat(name).components) > 3


def _distance(wanted: str, offered: str) -> tuple[int, ...]:
    """Rank formats: never lose if it can be helped, then the smallest excess."""
    pairs = list(zip(_traits(wanted), _traits(offered), strict=True))
    return (
        *(int(have < want) for want, have in pairs[1:]),
        int(pairs[0][0] != pairs[0][1]),
        *(abs(int(have) - int(want)) for want, have in pairs[1:]),
    )


def _losses(wanted: str, offered: str) -> list[str]:
    (rgb_in, bits_in, chroma_in, alpha_in), (rgb_out, bits_out, chroma_out, alpha_out) = (
        _traits(wanted),
        _traits(offered),
    )
    losses = []
    if bits_out < bits_in:
        losses.append(f"{bits_in} bit becomes {bits_out} bit")
    if chroma_out < chroma_in:
        losses.append("chroma resolution is reduced")
    if alpha_in and not alpha_out:
        losses.append("alpha is dropped")
    if rgb_in and not rgb_out:
        losses.append("RGB becomes YUV (rounded)")
    return losses or [f"{wanted} is stored as {offered}"]
