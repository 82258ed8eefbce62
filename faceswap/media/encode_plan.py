"""How an output will be encoded, settled before work starts, with everything that is lost on the way.

The encoders are a table in `encoders`, the containers one in `containers`; here they meet a clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media import hdr
from faceswap.media.containers import NO_ROTATION, check_pair, default_output, muxer_of
from faceswap.media.encoders import (
    Encoder,
    Profile,
    find_encoder,
    find_profile,
    preset_options,
    quality_options,
    require_hardware,
)
from faceswap.media.h273 import BT709, FULL_RANGE, HLG, IDENTITY, MATRICES, PQ, STUDIO_RANGE
from faceswap.media.interlace import check_interlaced_encoder
from faceswap.media.layouts import encodable_format, encodable_layout, format_losses, layout_of, planar_name
from faceswap.media.probe import ClipInfo, ColorTags
from faceswap.types import ColorInfo, FieldOrder, PlaneLayout

__all__ = ["EncodePlan", "EncodeSettings", "default_output", "plan_encode"]


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """What the user may say about encoding; None = the default that fits."""

    codec: str = "libx264"
    """Friendly name (h265, prores4444, dnxhr ...) or FFmpeg's."""
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    profile: str | None = None
    """Flavour of ProRes or DNxHR."""


@dataclass(frozen=True, slots=True)
class EncodePlan:
    """Encoder, pixel format and container that were settled on, and what that loses."""

    codec: str
    """FFmpeg's name of the encoder."""
    layout: PlaneLayout
    color: ColorInfo
    """Of the samples that are handed to the encoder."""
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
        UsageError: unknown container or encoder, a pair that does not go together, a setting that the encoder lacks, or
            a hardware encoder that this machine has not.
    """
    muxer = muxer_of(output)
    row, profile_name = find_encoder(settings.codec)
    check_pair(row, muxer)
    if settings.codec == "prores4444" and settings.profile not in (None, "4444", "4444xq"):
        raise UsageError(
            f"prores4444 has no profile {settings.profile!r}; use --codec prores --profile {settings.profile}"
        )
    profile = find_profile(row, settings.profile or profile_name)
    layout, profile, losses = _choose_layout(info, row, profile, settings)
    color, tags, more = _choose_color(info, row, layout)
    losses += more
    if info.display_matrix is not None and muxer in NO_ROTATION:
        losses.append(f"{muxer} has no place for the rotation; players will show the picture as it is stored")
    check_interlaced_encoder(row.name, info.field_order)
    options = _options(row, profile, settings, info, muxer)
    options |= _placing_options(row.name, options, layout, color, info.field_order)
    if info.light and not hdr.can_carry(row.name):
        losses.append(f"{row.title} by {row.name} has no place for the HDR10 mastering display and light levels")
    require_hardware(row, layout.name)
    return EncodePlan(row.name, layout, color, tags, muxer, options, tuple(losses), info.field_order)


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


def _choose_layout(
    info: ClipInfo, row: Encoder, profile: Profile | None, settings: EncodeSettings
) -> tuple[PlaneLayout, Profile | None, list[str]]:
    wanted = settings.pix_fmt or info.layout.name
    if any(have < least for have, least in zip(info.size, row.min_size, strict=True)):
        least_h, least_w = row.min_size
        raise UsageError(
            f"{row.title} takes pictures from {least_w}x{least_h} px, the clip has {info.size[1]}x{info.size[0]}; "
            "use another --codec"
        )
    offered = row.formats
    if row.profiles:
        profiles = [profile] if profile is not None else list(row.profiles.values())
        offered = tuple(dict.fromkeys(name for each in profiles for name in each.formats))
    try:
        name, losses = encodable_format(row.name, wanted, offered)
    except UnsupportedInputError as error:
        if settings.pix_fmt is None:
            raise
        raise UsageError(f"--pix-fmt {settings.pix_fmt!r} is no format of planes; use one like yuv420p10le") from error
    if settings.pix_fmt is not None:
        if name != settings.pix_fmt:
            raise UsageError(f"{settings.codec} cannot encode {settings.pix_fmt!r}; the nearest it can is {name!r}")
        losses = format_losses(info.layout.name, name)
    if info.tags.transfer in (PQ, HLG) and layout_of(planar_name(name))[1] == 8:
        losses.append("8 bit is too little for HDR: smooth skies will show bands")
    if row.profiles and profile is None:  # the best one for the format
        profile = [each for each in row.profiles.values() if name in each.formats][-1]
    layout = encodable_layout(name)
    is_odd = any(side % 2**shift for side, shift in zip(info.size, layout.chroma_shift, strict=True))
    if is_odd and row.even_size:
        full = name.replace("420", "444").replace("422", "444")
        losses.append(f"{row.name} cannot encode {info.size[1]}x{info.size[0]} as {name}: {full} keeps the size")
        layout = encodable_layout(full)
    return layout, profile, losses


def _color_of(layout: PlaneLayout, info: ClipInfo) -> tuple[ColorInfo, ColorTags]:
    """Return how the output's samples are to be read: as the input's, where the change of format allows it."""
    _, bits = layout_of(planar_name(layout.name))
    if layout.is_rgb and not info.layout.is_rgb:
        tags = ColorTags(info.tags.primaries, info.tags.transfer, IDENTITY, FULL_RANGE)
        return ColorInfo("rgb", True, bits), tags
    if info.layout.is_rgb and not layout.is_rgb:
        tags = ColorTags(info.tags.primaries, info.tags.transfer, BT709, STUDIO_RANGE)
        return ColorInfo("bt709", False, bits), tags
    return replace(info.color, bit_depth=bits), info.tags


def _choose_color(info: ClipInfo, row: Encoder, layout: PlaneLayout) -> tuple[ColorInfo, ColorTags, list[str]]:
    """Return how samples are coded and tagged, and what that changes because the stream could not say it otherwise."""
    color, tags = _color_of(layout, info)
    losses: list[str] = []
    if layout.is_rgb:
        return color, tags, losses
    if row.studio_only:
        if color.full_range:
            losses.append(f"full range becomes studio range: {row.title} has no place for the other")
        color, tags = replace(color, full_range=False), replace(tags, range=STUDIO_RANGE)
    if row.only_matrix is not None:
        name = MATRICES[row.only_matrix]
        if color.matrix != name:
            losses.append(f"the YUV matrix {color.matrix} becomes {name}, the only one that {row.title} can name")
        color, tags = replace(color, matrix=name, is_guessed=False), replace(tags, matrix=row.only_matrix)
    return color, tags, losses


def _options(
    row: Encoder, profile: Profile | None, settings: EncodeSettings, info: ClipInfo, muxer: str
) -> dict[str, str]:
    options = {**row.options, **quality_options(row, settings.crf), **preset_options(row, settings.preset)}
    options |= dict(profile.options) if profile else {}
    if row.name == "libx264" and _has_avx512():
        # x264's AVX-512 code for its look-ahead reads memory it has not written: the same frames then give other bytes
        # from run to run. With AVX2 a conversion can be repeated bit for bit.
        options["x264-params"] = "asm=avx2"
    if muxer == "mpegts" and row.name in ("libx264", "libx265"):
        options["bf"] = "0"  # the muxer shifts all times when B-frames make decoding times negative
    if info.light and hdr.can_carry(row.name):
        for name, value in hdr.dynamic_range_options(row.name, info.light).items():
            options[name] = f"{options[name]}:{value}" if name in options else value
    return options


def _has_avx512() -> bool:
    try:
        return "avx512" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
