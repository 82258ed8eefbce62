"""The encoders we know, as data: names, quality scale, speeds, profiles, pixel formats, containers.

An encoder that is not listed can still be used by FFmpeg's name; it then takes no quality, speed or profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache

import av

from faceswap.errors import UsageError
from faceswap.media.h273 import BT601_625, BT709

_X264_WORDS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_WORDS_TO_SVT = dict(zip(_X264_WORDS, ("11", "10", "9", "8", "7", "6", "4", "3", "2", "1"), strict=True))
_WORDS_TO_NVENC = dict(zip(_X264_WORDS, ("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7", "p7"), strict=True))
_X264_PRESETS = {word: word for word in _X264_WORDS}
# SVT-AV1 4 maps 12 and 13 to 11.
_SVT_PRESETS = {**{str(n): str(n) for n in range(12)}, **_WORDS_TO_SVT}
_NVENC_PRESETS = {**{f"p{n}": f"p{n}" for n in range(1, 8)}, **_WORDS_TO_NVENC}


@dataclass(frozen=True, slots=True)
class Quality:
    """An encoder's scale of constant quality; lower is better."""

    low: float
    high: float
    default: float
    options: Mapping[str, str]
    """FFmpeg options; "{}" stands for the number."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One flavour of an encoder."""

    options: Mapping[str, str]
    formats: tuple[str, ...]
    """Pixel formats that this flavour stores."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What one encoder takes and gives."""

    name: str
    """FFmpeg's."""
    codec: str
    """Canonical name of what comes out: "h264", "hevc", "prores" ..."""
    title: str
    muxers: tuple[str, ...] = ()
    """Containers that hold it, the usual one first; () = not known, tried."""
    quality: Quality | None = None
    presets: Mapping[str, str] = field(default_factory=dict)
    """The user's word -> the encoder's."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    default_profile: str | None = None
    """None = the first profile that stores the clip's format without loss."""
    formats: tuple[str, ...] | None = None
    """Pixel formats to choose from; None = all that FFmpeg names."""
    options: Mapping[str, str] = field(default_factory=dict)
    is_hardware: bool = False
    even_size: bool = False
    """Subsampled chroma needs even sides."""
    min_size: tuple[int, int] = (1, 1)
    """(h, w) px"""
    studio_only: bool = False
    """The stream has no place for full range."""
    only_matrix: int | None = None
    """H.273 number of the one YUV matrix that decoders take for its pictures."""


def _nvenc(codec: str, title: str, muxers: tuple[str, ...], formats: tuple[str, ...], highest: int = 51) -> Encoder:
    # `cq` counts only while no bit rate is set; 0 would mean "choose yourself".
    quality = Quality(1, highest, 20, {"rc": "vbr", "cq": "{}", "b": "0"})
    return Encoder(
        f"{codec}_nvenc" if codec != "hevc" else "hevc_nvenc",
        codec,
        title,
        muxers,
        quality,
        _NVENC_PRESETS,
        formats=formats,
        is_hardware=True,
        even_size=True,
    )


_EVERYWHERE = ("mp4", "mov", "matroska", "mpegts")
_PRORES_422 = ("yuv422p10le",)
_PRORES_4444 = ("yuv444p10le", "yuva444p10le")
_PRORES_PROFILES = {
    "proxy": Profile({"profile": "proxy", "vendor": "apl0"}, _PRORES_422),
    "lt": Profile({"profile": "lt", "vendor": "apl0"}, _PRORES_422),
    "422": Profile({"profile": "standard", "vendor": "apl0"}, _PRORES_422),
    "hq": Profile({"profile": "hq", "vendor": "apl0"}, _PRORES_422),
    "4444": Profile({"profile": "4444", "vendor": "apl0"}, _PRORES_4444),
    "4444xq": Profile({"profile": "4444xq", "vendor": "apl0"}, _PRORES_4444),
}
_DNXHR_PROFILES = {
    "lb": Profile({"profile": "dnxhr_lb"}, ("yuv422p",)),
    "sq": Profile({"profile": "dnxhr_sq"}, ("yuv422p",)),
    "hq": Profile({"profile": "dnxhr_hq"}, ("yuv422p",)),
    "hqx": Profile({"profile": "dnxhr_hqx"}, ("yuv422p10le",)),
    "444": Profile({"profile": "dnxhr_444"}, ("yuv444p10le", "gbrp10le")),
}

ENCODERS: Mapping[str, Encoder] = {
    row.name: row
    for row in (
        Encoder(
            "libx264",
            "h264",
            "H.264",
            _EVERYWHERE,
            Quality(0, 51, 18, {"crf": "{}"}),
            _X264_PRESETS,
            even_size=True,
        ),
        Encoder(
            "libx265",
            "hevc",
            "H.265",
            _EVERYWHERE,
            Quality(0, 51, 18, {"crf": "{}"}),
            _X264_PRESETS,
            options={"x265-params": "log-level=error:open-gop=0"},
            even_size=True,
        ),
        # A CRF of 0 makes SVT-AV1 fall back to its own default.
        Encoder(
            "libsvtav1",
            "av1",
            "AV1",
            ("mp4", "matroska", "webm"),
            Quality(1, 63, 20, {"crf": "{}"}),
            _SVT_PRESETS,
        ),
        Encoder("libvpx-vp9", "vp9", "VP9", ("webm", "matroska", "mp4"), Quality(0, 63, 20, {"crf": "{}", "b": "0"})),
        Encoder(
            "prores_ks",
            "prores",
            "ProRes",
            ("mov", "matroska"),
            profiles=_PRORES_PROFILES,
            default_profile="hq",
            studio_only=True,
        ),
        # The 10-bit encoder writes "BT.709" into its frame headers whatever it is told.
        Encoder(
            "dnxhd",
            "dnxhd",
            "DNxHR",
            ("mov",),
            profiles=_DNXHR_PROFILES,
            min_size=(120, 256),
            studio_only=True,
            only_matrix=BT709,
        ),
        Encoder("ffv1", "ffv1", "FFV1", ("matroska", "mp4"), options={"level": "3", "slicecrc": "1", "g": "1"}),
        # Fixing both ends of the quantiser is the only constant quality that can be set from outside.
        Encoder(
            "mjpeg",
            "mjpeg",
            "Motion JPEG",
            ("mov", "matroska", "mp4"),
            Quality(2, 31, 2, {"qmin": "{}", "qmax": "{}", "b": "2000000000"}),
            options={"strict": "unofficial"},
            formats=("yuv420p", "yuv422p", "yuv444p"),
            only_matrix=BT601_625,
        ),
        # 10-bit formats are interleaved on the card: p010le is what it takes for yuv420p10le.
        _nvenc("h264", "H.264", _EVERYWHERE, ("yuv420p", "yuv444p")),
        _nvenc("hevc", "H.265", _EVERYWHERE, ("yuv420p", "yuv444p", "p010le")),
        _nvenc("av1", "AV1", ("mp4", "matroska", "webm"), ("yuv420p", "p010le"), highest=63),
    )
}

ALIASES: Mapping[str, tuple[str, str | None]] = {
    "h264": ("libx264", None),
    "h265": ("libx265", None),
    "hevc": ("libx265", None),
    "av1": ("libsvtav1", None),
    "vp9": ("libvpx-vp9", None),
    "prores": ("prores_ks", "hq"),
    "prores4444": ("prores_ks", "4444"),
    "dnxhr": ("dnxhd", None),
}
"""Friendly name -> (FFmpeg's name, default profile)."""

_SOFTWARE = {"h264": "h264", "hevc": "h265", "av1": "av1"}


def find_encoder(name: str) -> tuple[Encoder, str | None]:
    """Return an encoder by friendly or FFmpeg's name, and the profile that the name stands for.

    Raises:
        UsageError: FFmpeg has no such encoder.
    """
    ffmpeg_name, profile = ALIASES.get(name, (name, None))
    row = ENCODERS.get(ffmpeg_name)
    try:
        codec = av.Codec(ffmpeg_name, "w")
    except av.codec.codec.UnknownCodecError as error:
        known = [*ALIASES, *ENCODERS]
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join([*ALIASES, 'ffv1', 'mjpeg'])}"
        raise UsageError(f"no encoder {name!r} in this FFmpeg; {hint}") from error
    if row is None:
        row = Encoder(ffmpeg_name, codec.canonical_name, ffmpeg_name)
    return row, profile or row.default_profile


def quality_options(row: Encoder, crf: float | None) -> dict[str, str]:
    """Return the options for a quality, the default one for None.

    Raises:
        UsageError: the encoder has no such scale, or the number is off it.
    """
    quality = row.quality
    if quality is None:
        if crf is not None:
            raise UsageError(f"--crf means nothing to {row.name}; leave it out")
        return {}
    value = quality.default if crf is None else crf
    if not quality.low <= value <= quality.high:
        raise UsageError(
            f"--crf {value:g} is off the scale of {row.name}; use {quality.low:g} (best) to {quality.high:g}"
        )
    return {name: text.format(f"{value:g}") for name, text in quality.options.items()}


def preset_options(row: Encoder, preset: str | None) -> dict[str, str]:
    """Return the option for a speed.

    Raises:
        UsageError: the encoder has no speeds, or not this one.
    """
    if preset is None:
        return {}
    if not row.presets:
        raise UsageError(f"--preset means nothing to {row.name}; leave it out")
    if preset not in row.presets:
        raise UsageError(f"{row.name} has no preset {preset!r}; use one of {', '.join(row.presets)}")
    return {"preset": row.presets[preset]}


def find_profile(row: Encoder, name: str | None) -> Profile | None:
    """Return a profile by name; None when the encoder has none, or is to choose by the clip's format.

    Raises:
        UsageError: no such profile.
    """
    if name is None:
        return None
    if not row.profiles:
        raise UsageError(f"--profile means nothing to {row.name}; leave it out")
    if name not in row.profiles:
        raise UsageError(f"{row.title} has no profile {name!r}; use one of {', '.join(row.profiles)}")
    return row.profiles[name]


def require_hardware(row: Encoder, pix_fmt: str) -> None:
    """Try a hardware encoder on one small frame.

    Raises:
        UsageError: this machine cannot encode with it.
    """
    reason = _hardware_fault(row.name, pix_fmt) if row.is_hardware else None
    if reason is not None:
        raise UsageError(
            f"{row.name} cannot encode {pix_fmt} on this machine ({reason}); use --codec {_SOFTWARE[row.codec]}"
        )


@lru_cache(maxsize=16)
def _hardware_fault(name: str, pix_fmt: str) -> str | None:
    try:
        context = av.CodecContext.create(name, "w")
        context.width, context.height, context.pix_fmt = 256, 256, pix_fmt
        context.time_base = Fraction(1, 25)
        picture = av.VideoFrame(256, 256, pix_fmt)
        picture.pts = 0
        context.encode(picture)
        context.encode(None)
    except (av.FFmpegError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error).lower()
    return None
