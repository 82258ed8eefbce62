"""HDR metadata that stands still for a whole clip: mastering display (SMPTE ST 2086) and light levels (CTA-861.3).

FFmpeg hands them over as side data of a decoded frame, in the layout of its C structs. PyAV gives no side data to
encoders, so they are written through each encoder's own parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from faceswap.media.side_data import side_data_of

_MASTERING, _LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
_CHROMATICITY_UNIT, _LUMINANCE_UNIT = 50_000, 10_000
"""Steps per unit in SEI messages: 0.00002 of a chromaticity, 0.0001 cd/m2."""

DYNAMIC = {
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
}
"""Side data that changes from frame to frame and describes the pictures before the swap: never carried over."""

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """The screen that a clip was graded on."""

    red: Point
    """CIE 1931 (x, y) of the primary; the same for the two below."""
    green: Point
    blue: Point
    white: Point
    min_luminance: Fraction
    """cd/m2"""
    max_luminance: Fraction
    """cd/m2"""


@dataclass(frozen=True, slots=True)
class DynamicRange:
    """What an HDR10 clip says about its light; each part may be missing."""

    mastering: MasteringDisplay | None
    light_levels: tuple[int, int] | None
    """(MaxCLL, MaxFALL) cd/m2: the brightest pixel and the brightest average of a frame."""


def read_dynamic_range(frame: Any) -> DynamicRange | None:
    """Return the static HDR metadata of a decoded `av` frame, or None when it has none."""
    found = side_data_of(frame)
    mastering = _mastering(bytes(found[_MASTERING])) if _MASTERING in found else None
    levels = _light_levels(bytes(found[_LIGHT])) if _LIGHT in found else None
    return DynamicRange(mastering, levels) if mastering or levels else None


def lost_metadata(frame: Any) -> list[str]:
    """Return, in words, the HDR metadata of a decoded `av` frame that no output will carry."""
    return sorted({DYNAMIC[name] for name in side_data_of(frame) if name in DYNAMIC})


def _mastering(data: bytes) -> MasteringDisplay | None:
    """Read AVMasteringDisplayMetadata: 10 rationals (R, G, B, white as x, y; min, max luminance), then 2 flags."""
    if len(data) < 88:
        return None
    numbers = np.frombuffer(data, dtype="<i4")[:22].tolist()
    *pairs, has_primaries, has_luminance = numbers
    if not has_primaries or not has_luminance or not all(pairs[1::2]):
        return None
    values = [Fraction(above, below) for above, below in zip(pairs[::2], pairs[1::2], strict=True)]
    red, green, blue, white = zip(values[0:8:2], values[1:8:2], strict=True)
    return MasteringDisplay(red, green, blue, white, min_luminance=values[8], max_luminance=values[9])


def _light_levels(data: bytes) -> tuple[int, int] | None:
    if len(data) < 8:
        return None
    highest, average = np.frombuffer(data, dtype="<u4")[:2].tolist()
    return (highest, average) if highest or average else None


def _in_units(display: MasteringDisplay) -> str:
    """Return the display as x264 and x265 take it: whole steps, luminance from high to low."""
    primaries = _points(display, lambda v: str(round(v * _CHROMATICITY_UNIT)))
    high, low = (round(v * _LUMINANCE_UNIT) for v in (display.max_luminance, display.min_luminance))
    return f"{primaries}L({high},{low})"


def _in_decimals(display: MasteringDisplay) -> str:
    """Return the display as SVT-AV1 takes it: plain decimals."""
    primaries = _points(display, lambda v: f"{float(v):.5f}")
    return f"{primaries}L({float(display.max_luminance):.4f},{float(display.min_luminance):.4f})"


def _points(display: MasteringDisplay, text: Callable[[Fraction], str]) -> str:
    named = {"G": display.green, "B": display.blue, "R": display.red, "WP": display.white}
    return "".join(f"{name}({text(x)},{text(y)})" for name, (x, y) in named.items())


@dataclass(frozen=True, slots=True)
class _Carrier:
    """How one encoder is told about HDR metadata."""

    option: str
    mastering: str
    levels: str
    display: Callable[[MasteringDisplay], str]
    extra: str = ""


_CARRIERS: Mapping[str, _Carrier] = {
    "libx264": _Carrier("x264-params", "mastering-display", "cll", _in_units),
    "libx265": _Carrier("x265-params", "master-display", "max-cll", _in_units, extra=":hdr10=1:repeat-headers=1"),
    "libsvtav1": _Carrier("svtav1-params", "mastering-display", "content-light", _in_decimals),
}


def can_carry(encoder: str) -> bool:
    """True when an encoder (FFmpeg's name) has a place for `DynamicRange`."""
    return encoder in _CARRIERS


def dynamic_range_options(encoder: str, light: DynamicRange) -> dict[str, str]:
    """Return the option that makes an encoder write `light` into its stream; the value joins others by ":".

    Args:
        encoder: one that `can_carry`.
    """
    carrier = _CARRIERS[encoder]
    parts = []
    if light.mastering:
        parts.append(f"{carrier.mastering}={carrier.display(light.mastering)}")
    if light.light_levels:
        parts.append("{}={},{}".format(carrier.levels, *light.light_levels))
    return {carrier.option: ":".join(parts) + carrier.extra}
