"""Turning planes of one pixel format into another: depth, chroma sampling, RGB and YUV, alpha. Pure functions.

Nothing is done when two formats hold the same samples. Otherwise values are worked on as real numbers, once, and
rounded once: chroma is resampled where its samples lie (`chroma`), one affine map takes codes to codes, and fewer bits are
reached by `dither`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceswap import color as color_maps
from faceswap.geometry import field_siting
from faceswap.media.chroma import Grid, grid_of, resample_chroma
from faceswap.media.dither import code_type, quantise, shifted_down, shifted_up
from faceswap.types import ColorInfo, Frame, PlaneLayout

_FULL: Grid = ((0, 0), "center")
"""Chroma that is not subsampled."""


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
    has_chroma_lines = layout.chroma_shift[0] + to_layout.chroma_shift[0] > 0  # that stand for several lines
    if is_interlaced and has_chroma_lines and (layout, color) != (to_layout, to_color):
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


def field_of(frame: Frame, parity: int) -> Frame:
    """Return one field as a picture of half the height; its planes are views.

    Args:
        parity: 0 = lines 0, 2, 4 ..., 1 = lines 1, 3, 5 ...
    """
    color = replace(frame.color, siting=field_siting(frame.color.siting, parity))
    return replace(frame, planes=tuple(plane[parity::2] for plane in frame.planes), color=color)


def weave(upper: NDArray, lower: NDArray) -> NDArray:
    """Return the (..., h, w) picture whose even lines are `upper`'s and whose odd lines are `lower`'s."""
    *rest, height, width = upper.shape
    woven = np.empty((*rest, height + lower.shape[-2], width), dtype=upper.dtype)
    woven[..., 0::2, :], woven[..., 1::2, :] = upper, lower
    return woven


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
    is_resampled = number > 0 and grid_of(layout, color) != grid_of(to_layout, to_color)
    if not is_resampled and offset == 0:
        if scale == 1:
            return plane
        if scale == 2.0 ** (to_bits - bits):
            return shifted_up(plane, to_bits - bits) if to_bits > bits else shifted_down(plane, bits, to_bits)
    values = plane.astype(np.float32)
    if is_resampled:
        values = resample_chroma(values, grid_of(layout, color), grid_of(to_layout, to_color), size)
    return quantise(values * np.float32(scale) + np.float32(offset), bits, to_bits)


def _convert_colors(
    planes: Sequence[NDArray], source: tuple[PlaneLayout, ColorInfo], target: tuple[PlaneLayout, ColorInfo]
) -> list[NDArray]:
    """Convert through a full-resolution picture: every new code depends on all three old ones."""
    (layout, color), (to_layout, to_color) = source, target
    size = (planes[0].shape[0], planes[0].shape[1])
    codes = color_maps.transform(full_resolution(planes, layout, color), _codes_from_codes(color, to_color))
    return [
        quantise(
            plane if i == 0 else resample_chroma(plane, _FULL, grid_of(to_layout, to_color), size),
            color.bit_depth,
            to_color.bit_depth,
        )
        for i, plane in enumerate(codes)
    ]


def full_resolution(planes: Sequence[NDArray], layout: PlaneLayout, color: ColorInfo) -> NDArray[np.float32]:
    """Return (3, h, w) float32 code values with chroma at every luma sample, where its own samples lie."""
    size = (planes[0].shape[0], planes[0].shape[1])
    chroma = [resample_chroma(plane, grid_of(layout, color), _FULL, size) for plane in planes[1:3]]
    return np.stack([planes[0].astype(np.float32), *chroma])


def _alpha(planes: Sequence[NDArray], bits: int, to_layout: PlaneLayout, to_bits: int) -> list[NDArray]:
    """Return the alpha plane that the new format has, if any. Alpha is full range everywhere."""
    if not to_layout.has_alpha:
        return []
    top = 2**to_bits - 1
    if len(planes) < 4:
        return [np.full(planes[0].shape, top, dtype=code_type(to_bits))]
    if bits == to_bits:
        return [planes[3]]
    return [np.rint(planes[3] * np.float64(top / (2**bits - 1))).astype(code_type(to_bits))]
