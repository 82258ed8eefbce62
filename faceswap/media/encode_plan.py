"""How an output will be encoded, settled before work starts, with everything that is lost on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.media.interlace import check_interlaced_encoder
from faceswap.media.layouts import encodable_format, layout_of
from faceswap.media.probe import ClipInfo, ColorTags
from faceswap.types import ColorInfo, FieldOrder, PlaneLayout

_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts", ".webm": "webm"}
_WEBM_CODECS = {"libvpx-vp9", "libvpx", "libsvtav1", "libaom-av1", "av1_nvenc"}
_MAX_NAME_BYTES = 255
"""Of a file name on all common file systems."""
_NO_ROTATION = {"mpegts"}
_X264_X265 = {"libx264", "libx265"}
_PRESETS = {*_X264_X265, "libsvtav1", "h264_nvenc", "hevc_nvenc"}
_CRF_OPTIONS = {"libx264": "crf", "libx265": "crf", "libsvtav1": "crf", "h264_nvenc": "cq", "hevc_nvenc": "cq"}
DEFAULT_CRF = 18
_IDENTITY, _BT709 = 0, 1
_STUDIO_RANGE, _FULL_RANGE = 1, 2


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """What the user may say about encoding; None = the default that fits."""

    codec: str = "libx264"
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None


@dataclass(frozen=True, slots=True)
class EncodePlan:
    """Encoder, pixel format and container that were settled on, and what that loses."""

    codec: str
    layout: PlaneLayout
    color: ColorInfo
    tags: ColorTags
    muxer: str
    options: Mapping[str, str]
    losses: tuple[str, ...]
    field_order: FieldOrder | None = None
    """Set: the clip is encoded interlaced."""

    @property
    def pix_fmt(self) -> str:
        return self.layout.name


def plan_encode(info: ClipInfo, output: Path, settings: EncodeSettings) -> EncodePlan:
    """Settle how `output` will be encoded.

    Raises:
        UsageError: unknown container or encoder, or a pair that does not go together.
    """
    muxer = _MUXERS.get(output.suffix.lower())
    if muxer is None:
        raise UsageError(f"{output.name!r}: unknown kind of file {output.suffix!r}; use one of {', '.join(_MUXERS)}")
    if muxer == "webm" and settings.codec not in _WEBM_CODECS:
        raise UsageError(f"WebM cannot hold {settings.codec}; use --codec libsvtav1 or an output in .mkv")
    layout, losses = _choose_layout(info, settings)
    if info.display_matrix is not None and muxer in _NO_ROTATION:
        losses.append(f"{muxer} has no place for the rotation; players will show the picture as it is stored")
    color, tags = _color_of(layout, info)
    check_interlaced_encoder(settings.codec, info.field_order)
    options = _options(settings, muxer)
    options |= _placing_options(settings.codec, options, layout, color, info.field_order)
    return EncodePlan(settings.codec, layout, color, tags, muxer, options, tuple(losses), info.field_order)


def _placing_options(
    codec: str, options: Mapping[str, str], layout: PlaneLayout, color: ColorInfo, field_order: FieldOrder | None
) -> dict[str, str]:
    """Return what tells an encoder where chroma samples lie and which field is first."""
    more = {}
    if layout.chroma_shift == (1, 1) and color.siting != "left":  # players take "left" where nothing is said
        more["chroma_sample_location"] = color.siting
    if codec == "libx264" and field_order is not None:
        # The frames' flags alone set the order of all frames but not what is said in front of the first.
        said = options.get("x264-params")
        more["x264-params"] = f"{said}:{field_order}=1" if said else f"{field_order}=1"
    return more


def _color_of(layout: PlaneLayout, info: ClipInfo) -> tuple[ColorInfo, ColorTags]:
    """Return how the output's samples are to be read: as the input's, where the change of format allows it."""
    _, bits = layout_of(layout.name)
    if layout.is_rgb and not info.layout.is_rgb:
        tags = ColorTags(info.tags.primaries, info.tags.transfer, _IDENTITY, _FULL_RANGE)
        return ColorInfo("rgb", True, bits), tags
    if info.layout.is_rgb and not layout.is_rgb:
        tags = ColorTags(info.tags.primaries, info.tags.transfer, _BT709, _STUDIO_RANGE)
        return ColorInfo("bt709", False, bits), tags
    return replace(info.color, bit_depth=bits), info.tags


def _choose_layout(info: ClipInfo, settings: EncodeSettings) -> tuple[PlaneLayout, list[str]]:
    name, losses = encodable_format(settings.codec, settings.pix_fmt or info.layout.name)
    if settings.pix_fmt is not None and name != settings.pix_fmt:
        raise UsageError(f"{settings.codec} cannot encode {settings.pix_fmt!r}; the nearest it can is {name!r}")
    layout, _ = layout_of(name)
    is_odd = any(side % 2**shift for side, shift in zip(info.size, layout.chroma_shift, strict=True))
    if is_odd and settings.codec in _X264_X265:
        full = name.replace("420", "444").replace("422", "444")
        losses.append(f"{settings.codec} cannot encode {info.size[1]}x{info.size[0]} as {name}: {full} keeps the size")
        layout, _ = layout_of(full)
    return layout, losses


def _options(settings: EncodeSettings, muxer: str) -> dict[str, str]:
    codec = settings.codec
    options = {}
    if settings.crf is not None or codec in _CRF_OPTIONS:
        if codec not in _CRF_OPTIONS:
            raise UsageError(f"--crf means nothing to {codec}; leave it out")
        options[_CRF_OPTIONS[codec]] = f"{DEFAULT_CRF if settings.crf is None else settings.crf:g}"
    if settings.preset is not None:
        if codec not in _PRESETS:
            raise UsageError(f"--preset means nothing to {codec}; leave it out")
        options["preset"] = settings.preset
    if codec == "libx265":
        options["x265-params"] = "log-level=error:open-gop=0"
    if codec == "libx264" and _has_avx512():
        # x264's AVX-512 code for its look-ahead reads memory it has not written: the same frames then give other bytes
        # from run to run. With AVX2 a conversion can be repeated bit for bit.
        options["x264-params"] = "asm=avx2"
    if muxer == "mpegts" and codec in _X264_X265:
        options["bf"] = "0"  # the muxer shifts all times when B-frames make decoding times negative
    return options


def _has_avx512() -> bool:
    try:
        return "avx512" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False


def default_output(source: Path, suffix: str) -> Path:
    """Return `<stem><suffix>` beside the source, in its container family where that can hold any codec."""
    extension = source.suffix.lower()
    keeps = extension in _MUXERS and extension != ".webm"
    end = suffix + (extension if keeps else ".mkv")
    stem = os.fsencode(source.stem)[: _MAX_NAME_BYTES - len(os.fsencode(end))]
    return source.with_name(stem.decode("utf-8", "ignore") + end)
