"""Turning planes of one pixel format into another: depth, chroma sampling, RGB and YUV, alpha. Pure functions.

Nothing is done when two formats hold the same samples. Otherwise values are worked on as real numbers, once, and
rounded once: chroma is resampled where its samples lie (`geometry.SITINGS`), one affine map takes codes to codes, and
fewer bits are reached by ordered dither, whose local mean is the value that was meant.

Source of the dither pattern: Bayer 1973, "An optimum method for two-level rendition of continuous-tone pictures".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceswap import color as color_maps
from faceswap.errors import UsageError
from faceswap.geometry import SITINGS, field_siting
from faceswap.types import ColorInfo, Frame, PlaneLayout

_TILE_BITS = 4
"""The dither tile is 2^4 px wide: its 256 levels serve exactly for up to 8 bits that are dropped."""
_LEVELS = 4**_TILE_BITS

Taps = tuple[tuple[int, float], ...]
"""(offset from the phase's first source sample, weight)."""


def convert_planes(
    planes: Sequence[NDArray],
    layout: PlaneLayout,
    color: ColorInfo,
    to_layout: PlaneLayout,
    to_color: ColorInfo,
    *,
    is_interlaced: bool = False,
) -> tuple[NDArray, ...]:
    """Return a picture's planes in another pixel format.

    Planes that need no change are handed on as they are (not copied). Alpha is added opaque, dropped, or changed in depth.

    Args:
        planes: Y, U, V or G, B, R, then alpha if there is one; (h, w) uint8 or uint16. Chroma sides are rounded up.
        color, to_color: their `bit_depth` says how wide the codes are.
        is_interlaced: the lines belong to two fields in turn, which are never mixed.

    Returns:
        The planes of `to_layout`; uint8 for 8 bit, else uint16.
    """
    if is_interlaced and layout.chroma_shift[0] + to_layout.chroma_shift[0] and layout != to_layout:
        return _convert_fields(planes, layout, color, to_layout, to_color)
    size = (planes[0].shape[0], planes[0].shape[1])
    linear, offset = _codes_from_codes(color, to_color)
    if np.array_equal(linear, np.diag(np.diag(linear))):
        picture = [
            _convert_plane(planes[i], i, size, (layout, color), (to_layout, to_color), linear[i, i], offset[i])
            for i in range(3)
        ]
    else:
        picture = _convert_colors(planes, (layout, color), (to_layout, to_color))
    return (*picture, *_alpha(planes, color.bit_depth, to_layout, to_color.bit_depth))


def _convert_fields(
    planes: Sequence[NDArray], layout: PlaneLayout, color: ColorInfo, to_layout: PlaneLayout, to_color: ColorInfo
) -> tuple[NDArray, ...]:
    """Convert each field as a picture of its own and weave them again."""
    fields = []
    for parity in (0, 1):
        here, there = (replace(c, siting=field_siting(c.siting, parity)) for c in (color, to_color))
        fields.append(convert_planes([p[parity::2] for p in planes], layout, here, to_layout, there))
    return tuple(weave(upper, lower) for upper, lower in zip(*fields, strict=True))


def weave(upper: NDArray, lower: NDArray) -> NDArray:
    """Return the (h, w) plane whose even lines are `upper`'s and whose odd lines are `lower`'s."""
    woven = np.empty((len(upper) + len(lower), upper.shape[1]), dtype=upper.dtype)
    woven[0::2], woven[1::2] = upper, lower
    return woven


def rgb_picture(frame: Frame, bit_depth: int = 8, *, is_interlaced: bool = False) -> NDArray:
    """Return a whole frame as (H, W, 3) RGB, full range, in the clip's own transfer curve.

    Chroma is brought to full resolution where its samples lie. Fewer bits than the frame has are reached by dither.

    Args:
        bit_depth: 8 (uint8) or 16 (uint16).
        is_interlaced: the lines belong to two fields in turn, which are never mixed.

    Raises:
        UsageError: another bit depth.
    """
    if bit_depth not in (8, 16):
        raise UsageError(f"pictures of {bit_depth} bits per channel cannot be made; use 8 or 16")
    layout = PlaneLayout("gbrp" if bit_depth == 8 else "gbrp16le", (0, 0))
    green, blue, red = convert_planes(
        frame.planes[:3], frame.layout, frame.color, layout, rgb_color(bit_depth), is_interlaced=is_interlaced
    )
    return np.stack([red, green, blue], axis=-1)


def rgb_color(bit_depth: int) -> ColorInfo:
    """Return how the planes of an RGB picture are to be read."""
    return ColorInfo("rgb", True, bit_depth, "center")


@lru_cache(maxsize=64)
def _codes_from_codes(color: ColorInfo, to_color: ColorInfo) -> color_maps.Affine:
    """Return the affine map between the code values of two ways to write colours."""
    if color.matrix == to_color.matrix:  # it cancels out: the map is diagonal, for the same range powers of two
        one, other = color_maps.code_scale(color), color_maps.code_scale(to_color)
        ratio = other.linear / np.where(one.linear, one.linear, 1)
        return color_maps.Affine(ratio, other.offset - ratio @ one.offset)
    inverse, offset = color_maps.rgb_from_codes(color)
    linear, black = color_maps.codes_from_rgb(to_color)
    return color_maps.Affine(linear @ inverse, linear @ offset + black)


def _convert_plane(
    plane: NDArray,
    number: int,
    size: tuple[int, int],
    source: tuple[PlaneLayout, ColorInfo],
    target: tuple[PlaneLayout, ColorInfo],
    scale: float,
    offset: float,
) -> NDArray:
    """Convert one plane whose new codes depend on its own old ones alone."""
    (layout, color), (to_layout, to_color) = source, target
    bits, to_bits = color.bit_depth, to_color.bit_depth
    is_resampled = number > 0 and _grid(layout, color) != _grid(to_layout, to_color)
    if not is_resampled and offset == 0:
        if scale == 1:
            return plane
        if scale == 2.0 ** (to_bits - bits):
            return _shifted_up(plane, to_bits - bits) if to_bits > bits else _shifted_down(plane, bits, to_bits)
    values = plane.astype(np.float32)
    if is_resampled:
        values = resample_chroma(values, _grid(layout, color), _grid(to_layout, to_color), size)
    return quantise(values * np.float32(scale) + np.float32(offset), bits, to_bits)


def _convert_colors(
    planes: Sequence[NDArray], source: tuple[PlaneLayout, ColorInfo], target: tuple[PlaneLayout, ColorInfo]
) -> list[NDArray]:
    """Convert through a full-resolution picture: every new code depends on all three old ones."""
    (layout, color), (to_layout, to_color) = source, target
    size = (planes[0].shape[0], planes[0].shape[1])
    full = (0, 0), "center"
    values = np.stack(
        [
            plane.astype(np.float32) if i == 0 else resample_chroma(plane, _grid(layout, color), full, size)
            for i, plane in enumerate(planes[:3])
        ]
    )
    codes = color_maps.transform(values, _codes_from_codes(color, to_color))
    return [
        quantise(
            plane if i == 0 else resample_chroma(plane, full, _grid(to_layout, to_color), size),
            color.bit_depth,
            to_color.bit_depth,
        )
        for i, plane in enumerate(codes)
    ]


Grid = tuple[tuple[int, int], str]
"""(chroma shift, siting): where chroma samples lie."""


def _grid(layout: PlaneLayout, color: ColorInfo) -> Grid:
    """Return where chroma samples lie; the siting of directions that are not subsampled means nothing and is dropped."""
    x, y = SITINGS[color.siting]
    shift_y, shift_x = layout.chroma_shift
    for name, place in SITINGS.items():  # the first name with the same meaning here
        if (not shift_x or place[0] == x) and (not shift_y or place[1] == y):
            return layout.chroma_shift, name
    return layout.chroma_shift, color.siting


def _alpha(planes: Sequence[NDArray], bits: int, to_layout: PlaneLayout, to_bits: int) -> list[NDArray]:
    """Return the alpha plane that the new format has, if any. Alpha is full range everywhere."""
    if not to_layout.has_alpha:
        return []
    top = 2**to_bits - 1
    if len(planes) < 4:
        return [np.full(planes[0].shape, top, dtype=_dtype(to_bits))]
    if bits == to_bits:
        return [planes[3]]
    return [np.rint(planes[3] * np.float64(top / (2**bits - 1))).astype(_dtype(to_bits))]


def _dtype(bits: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if bits == 8 else np.uint16


def _shifted_up(plane: NDArray, shift: int) -> NDArray:
    return plane.astype(np.uint16) << shift


def _shifted_down(plane: NDArray, bits: int, to_bits: int) -> NDArray:
    """Drop low bits in integers. Codes that need no rounding come out exactly; the others are dithered."""
    shift = bits - to_bits
    wide = plane.astype(np.uint32) if bits == 16 else plane
    result = wide + _integer_tile(shift, plane.shape[0], plane.shape[1])
    np.minimum(result, 2**bits - 1, out=result)
    result >>= shift
    return result.astype(_dtype(to_bits))


def quantise(values: NDArray[np.float32], bits: int, to_bits: int) -> NDArray:
    """Round real code values of `to_bits`, dithered when they came from more `bits`.

    Returns:
        uint8 or uint16, clipped to [0, 2^to_bits - 1].
    """
    top = 2**to_bits - 1
    if to_bits < bits:
        rounded = values + _real_tile(values.shape[0], values.shape[1])
        np.floor(rounded, out=rounded)
    else:
        rounded = np.rint(values)
    return np.clip(rounded, 0, top, out=rounded).astype(_dtype(to_bits))


@lru_cache(maxsize=1)
def bayer_tile() -> NDArray[np.uint16]:
    """Return the (16, 16) threshold matrix with each of 0..255 once."""
    tile = np.zeros((1, 1), dtype=np.uint16)
    for _ in range(_TILE_BITS):
        tile = np.block([[4 * tile, 4 * tile + 2], [4 * tile + 3, 4 * tile + 1]])
    return tile


@lru_cache(maxsize=8)
def _integer_tile(shift: int, height: int, width: int) -> NDArray[np.uint16]:
    """Return thresholds 0..2^shift - 1 over a whole plane."""
    levels = bayer_tile() >> (2 * _TILE_BITS - shift)
    return np.tile(levels, (-(-height // 2**_TILE_BITS), -(-width // 2**_TILE_BITS)))[:height, :width]


@lru_cache(maxsize=8)
def _real_tile(height: int, width: int) -> NDArray[np.float32]:
    """Return thresholds in (0, 1), mean 1/2, over a whole plane."""
    levels = ((bayer_tile() + 0.5) / _LEVELS).astype(np.float32)
    return np.tile(levels, (-(-height // 2**_TILE_BITS), -(-width // 2**_TILE_BITS)))[:height, :width]


def resample_chroma(plane: NDArray, grid: Grid, to_grid: Grid, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a chroma plane on another grid of samples; borders are replicated.

    More samples are interpolated linearly; fewer are means over as wide a stretch as one of them stands for.

    Args:
        size: (h, w) of the luma plane.
    """
    values = plane.astype(np.float32, copy=False)
    for axis in (0, 1):
        length = -(-size[axis] // 2 ** to_grid[0][axis])
        place, to_place = (SITINGS[g[1]][1 - axis] for g in (grid, to_grid))
        phases, stride = _phases(grid[0][axis], place, to_grid[0][axis], to_place)
        if phases != (((0, 1.0),),) or stride != 1:
            values = _resample_axis(values, axis, length, phases, stride)
    return values


@lru_cache(maxsize=64)
def _phases(shift: int, place: float, to_shift: int, to_place: float) -> tuple[tuple[Taps, ...], int]:
    """Return the filters of one direction, and how many source samples lie between two outputs of one phase.

    Args:
        shift, to_shift: log2 of the subsampling. place, to_place: siting in this direction, luma px per px covered.
    """
    step, to_step = 2**shift, 2**to_shift
    num_phases, stride = max(1, step // to_step), max(1, to_step // step)
    result = []
    for phase in range(num_phases):
        luma = (phase + 0.5) * to_step + to_place * (to_step - 1)
        centre = (luma - place * (step - 1)) / step  # continuous coordinate in the source plane
        result.append(_mean_taps(centre, stride) if stride > 1 else _linear_taps(centre))
    return tuple(result), stride


def _linear_taps(centre: float) -> Taps:
    low = int(np.floor(centre - 0.5))
    share = centre - 0.5 - low
    return tuple((low + i, weight) for i, weight in enumerate((1 - share, share)) if weight)


def _mean_taps(centre: float, width: int) -> Taps:
    low, high = centre - width / 2, centre + width / 2
    covered = [(i, min(i + 1, high) - max(i, low)) for i in range(int(np.floor(low)), int(np.ceil(high)))]
    return tuple((i, length / width) for i, length in covered if length > 0)


def _resample_axis(
    values: NDArray[np.float32], axis: int, length: int, phases: tuple[Taps, ...], stride: int
) -> NDArray[np.float32]:
    before = max(0, -min(offset for taps in phases for offset, _ in taps))
    num_each = -(-length // len(phases))
    after = max(
        0, max(offset for taps in phases for offset, _ in taps) + (num_each - 1) * stride + 1 - values.shape[axis]
    )
    padded = np.pad(values, [(before, after) if i == axis else (0, 0) for i in range(2)], mode="edge")
    shape = [length if i == axis else values.shape[i] for i in range(2)]
    result = np.empty(shape, dtype=np.float32)
    for phase, taps in enumerate(phases):
        target = result[_along(axis, phase, None, len(phases))]
        count = target.shape[axis]
        target[:] = sum(
            np.float32(weight)
            * padded[_along(axis, before + offset, before + offset + (count - 1) * stride + 1, stride)]
            for offset, weight in taps
        )
    return result


def _along(axis: int, start: int, stop: int | None, step: int) -> tuple[slice, ...]:
    chosen = slice(start, stop, step)
    return (chosen, slice(None)) if axis == 0 else (slice(None), chosen)
