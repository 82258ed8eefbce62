"""Pixel formats: which planes a frame has, and which format an encoder can take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import av

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.types import PlaneLayout

# Formats whose samples are interleaved or padded, and the planar format that holds the very same values.
_PLANAR_EQUIVALENT = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "nv42": "yuv444p",
    "nv20le": "yuv422p10le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
    "p010le": "yuv420p10le",
    "p012le": "yuv420p12le",
    "p016le": "yuv420p16le",
    "p210le": "yuv422p10le",
    "p212le": "yuv422p12le",
    "p216le": "yuv422p16le",
    "p410le": "yuv444p10le",
    "p412le": "yuv444p12le",
    "p416le": "yuv444p16le",
    "y210le": "yuv422p10le",
    "y212le": "yuv422p12le",
    "y216le": "yuv422p16le",
    "xv30le": "yuv444p10le",
    "v30xle": "yuv444p10le",
    "xv36le": "yuv444p12le",
    "xv48le": "yuv444p16le",
    "yuv444p10msble": "yuv444p10le",
    "vuyx": "yuv444p",
    "vyu444": "yuv444p",
    "vuya": "yuva444p",
    "uyva": "yuva444p",
    "ayuv": "yuva444p",
    "ayuv64le": "yuva444p16le",
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
    "bgr48le": "gbrp16le",
    "rgba64le": "gbrap16le",
    "bgra64le": "gbrap16le",
    "x2rgb10le": "gbrp10le",
    "x2bgr10le": "gbrp10le",
}
# Gray pictures get neutral chroma planes, so that a swapped face may have colour; their luma stays as it is.
_COLOR_OF_GRAY = {
    "gray": "yuv420p",
    "gray9le": "yuv420p9le",
    "gray10le": "yuv420p10le",
    "gray12le": "yuv420p12le",
    "gray14le": "yuv420p14le",
    "gray16le": "yuv420p16le",
    "ya8": "yuva420p",
    "ya16le": "yuva420p16le",
}


def little_endian(pix_fmt: str) -> str:
    """Return the little-endian twin of a format; other formats as they are."""
    return f"{pix_fmt[:-2]}le" if pix_fmt.endswith("be") else pix_fmt


def is_gray(pix_fmt: str) -> bool:
    """True for formats with luma (and alpha) only."""
    return little_endian(pix_fmt) in _COLOR_OF_GRAY


def planar_name(pix_fmt: str) -> str:
    """Return the planar format that a decoder's format is stored as; yuvj* are yuv* with full range."""
    name = little_endian(pix_fmt)
    return (_PLANAR_EQUIVALENT | _COLOR_OF_GRAY).get(name, name).replace("yuvj", "yuv")


@lru_cache(maxsize=64)
def layout_of(pix_fmt: str) -> tuple[PlaneLayout, int]:
    """Return the plane layout and bit depth of a planar pixel format.

    Raises:
        UnsupportedInputError: fewer than three planes, big-endian, float, or more than 16 bits.
    """
    try:
        video_format = av.VideoFormat(pix_fmt)
    except ValueError as error:
        raise UnsupportedInputError(f"pixel format {pix_fmt!r} is unknown to this FFmpeg") from error
    components = video_format.components
    bits = components[0].bits if components else 0
    planes = {component.plane for component in components}
    is_plain = len(components) >= 3 and len(planes) == len(components) and not video_format.is_big_endian
    if not is_plain or not 8 <= bits <= 16 or _is_float(pix_fmt):
        what = (
            "floating-point numbers" if _is_float(pix_fmt) else f"{bits} bits a sample" if bits > 16 else "this order"
        )
        nearest = "gbrp16le" if "rgb" in pix_fmt or pix_fmt.startswith("gbr") else "yuv444p16le"
        raise UnsupportedInputError(
            f"pixel format {pix_fmt!r} ({what}) cannot be worked on; convert the clip to planes of 8 to 16 bit "
            f"first, e.g. with `ffmpeg -i INPUT -c:v ffv1 -pix_fmt {nearest} OUTPUT.mkv`"
        )
    shift_y = 16 // video_format.chroma_height(16)
    shift_x = 16 // video_format.chroma_width(16)
    return PlaneLayout(pix_fmt, (shift_y.bit_length() - 1, shift_x.bit_length() - 1)), bits


def _is_float(pix_fmt: str) -> bool:
    return pix_fmt.removesuffix("le").removesuffix("be").endswith(("f16", "f32"))


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
    return best, [] if planar_name(best) == wanted else format_losses(wanted, planar_name(best))


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


def format_losses(wanted: str, offered: str) -> list[str]:
    """Return what is lost when pictures of one planar format are stored in another, in words; none for the same format."""
    if wanted == offered:
        return []
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
