"""Code values at every bit depth against H.273 written out in float64 here."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap import color, geometry
from faceswap.convert.blend import paste
from faceswap.faces.views import sample_rgb
from faceswap.media.layouts import layout_of
from faceswap.types import ColorInfo, Frame, Patch, Timestamp

WEIGHTS = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
SITING_X = {"left": -0.5, "center": 0.0, "topleft": -0.5}
SITING_Y = {"left": 0.0, "center": 0.0, "topleft": -0.5}
FORMATS = [
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuv420p10le",
    "yuv422p10le",
    "yuv444p12le",
    "yuv420p16le",
    "yuv444p16le",
    "gbrp",
    "gbrp10le",
    "gbrp16le",
]
SIZE = (64, 96)
ROUNDING = 0.5 + 0.03
"""Half a code, and what float32 adds at 16 bits."""


def exact_codes(rgb: NDArray, info: ColorInfo) -> NDArray[np.float64]:
    """Return the real code values of (3, ...) RGB."""
    red, green, blue = rgb.astype(np.float64)
    top = 2**info.bit_depth - 1
    if info.matrix == "rgb":
        return np.stack([green, blue, red]) * top
    kr, kb = WEIGHTS[info.matrix]
    y = kr * red + (1 - kr - kb) * green + kb * blue
    pb, pr = 0.5 * (blue - y) / (1 - kb), 0.5 * (red - y) / (1 - kr)
    step = 2 ** (info.bit_depth - 8)
    if info.full_range:
        return np.stack([top * y, top * pb + 128 * step, top * pr + 128 * step])
    return np.stack([(219 * y + 16) * step, (224 * pb + 128) * step, (224 * pr + 128) * step])


def exact_rgb(codes: NDArray, info: ColorInfo) -> NDArray[np.float64]:
    """Return the RGB of (3, ...) code values."""
    first, second, third = codes.astype(np.float64)
    top = 2**info.bit_depth - 1
    if info.matrix == "rgb":
        return np.stack([third, first, second]) / top
    step = 2 ** (info.bit_depth - 8)
    if info.full_range:
        y, pb, pr = first / top, (second - 128 * step) / top, (third - 128 * step) / top
    else:
        y, pb, pr = (first / step - 16) / 219, (second / step - 128) / 224, (third / step - 128) / 224
    kr, kb = WEIGHTS[info.matrix]
    red, blue = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue])


def ramp_codes(plane: int, x: NDArray, y: NDArray, bits: int) -> NDArray[np.float64]:
    """Return the scene: real code values at places in luma px, a ramp in each plane, whole numbers at 4:2:0 samples."""
    step = 2 ** (bits - 8)
    base, along, down = ((90, 0.5, 0.5), (124, 0.125, -0.125), (130, -0.125, 0.0625))[plane]
    return (base + along * x + down * y) * step


def places(layout_shift: tuple[int, int], siting: str, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """Return the (x, y) luma px of each sample of a chroma plane."""
    sy, sx = (2**s for s in layout_shift)
    rows, columns = -(-size[0] // sy), -(-size[1] // sx)
    x = (np.arange(columns) + 0.5) * sx + SITING_X[siting] * (sx - 1)
    y = (np.arange(rows) + 0.5) * sy + SITING_Y[siting] * (sy - 1)
    return tuple(np.meshgrid(x, y))


def ramp_frame(name: str, info: ColorInfo) -> Frame:
    layout, bits = layout_of(name)
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = []
    for i in range(3):
        x, y = places(layout.chroma_shift if i else (0, 0), info.siting, SIZE)
        planes.append(np.rint(ramp_codes(i, x, y, bits)).astype(dtype))
    return Frame(tuple(planes), layout, info, Timestamp(0, Fraction(1, 25)), 0)


def infos_of(name: str) -> list[ColorInfo]:
    layout, bits = layout_of(name)
    if layout.is_rgb:
        return [ColorInfo("rgb", True, bits, "center")]
    sitings = SITING_X if any(layout.chroma_shift) else ["left"]
    return [ColorInfo("bt709", full, bits, siting) for full, siting in product((False, True), sitings)]


CASES = [
    pytest.param(name, info, id=f"{name}-{info.full_range}-{info.siting}")
    for name in FORMATS
    for info in infos_of(name)
]


@pytest.mark.parametrize("matrix", [*WEIGHTS, "rgb"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("full", [False, True], ids=["studio", "full"])
def test_code_values_are_those_of_the_standard(matrix: str, bits: int, full: bool) -> None:
    info = ColorInfo(matrix, full or matrix == "rgb", bits)
    rgb = np.random.default_rng(bits).random((3, 5000)).astype(np.float32)
    codes = np.rint(color.transform(rgb, color.codes_from_rgb(info)))
    assert np.abs(codes - exact_codes(rgb, info)).max() <= ROUNDING
    back = color.transform(codes.astype(np.float32), color.rgb_from_codes(info))
    assert np.abs(exact_codes(back, info) - codes).max() <= 0.03


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.25, 0.75)])
@pytest.mark.parametrize(("name", "info"), CASES)
def test_sampled_ramps_are_exact(name: str, info: ColorInfo, shift: tuple[float, float]) -> None:
    frame = ramp_frame(name, info)
    seen = sample_rgb(frame, geometry.translation(-shift[0] - 8, -shift[1] - 8), (40, 70))
    x, y = np.meshgrid(np.arange(70) + 8.5 + shift[0], np.arange(40) + 8.5 + shift[1])
    codes = np.stack([ramp_codes(i, x, y, info.bit_depth) for i in range(3)])
    # The planes themselves hold rounded values: half a code of theirs is not the sampling's error.
    assert np.abs(exact_codes(seen, info) - codes).max() <= ROUNDING


def patch_on(rgb: NDArray, frame_from_patch: NDArray) -> Patch:
    mask = np.ones((1, *rgb.shape[1:]), dtype=np.float32)
    return Patch(rgb.astype(np.float32), mask, geometry.invert(frame_from_patch))


def inner(plane: NDArray, frame: Frame) -> tuple[slice, slice]:
    """Return where the patch at (16, 16) to (64, 48) and its filters' borders are left behind."""
    sy, sx = frame.size[0] // plane.shape[0], frame.size[1] // plane.shape[1]
    return slice(24 // sy, 40 // sy), slice(24 // sx, 56 // sx)


@pytest.mark.parametrize(("name", "info"), CASES)
def test_pasted_flat_patch_has_the_standards_codes(name: str, info: ColorInfo) -> None:
    frame = ramp_frame(name, info)
    rgb = np.array([0.71, 0.43, 0.27]).reshape(3, 1, 1)
    exact = exact_codes(rgb, info).ravel()
    pasted = paste(frame, patch_on(np.broadcast_to(rgb, (3, 32, 48)), geometry.translation(16, 16)))
    for plane, code in zip(pasted.planes, exact, strict=True):
        assert np.abs(plane[inner(plane, frame)] - code).max() <= ROUNDING


@pytest.mark.parametrize(
    "place", [(0.0, 0.0, 1.0), (0.5, 0.5, 1.0), (0.25, -0.125, 1.0), (0.0, 0.0, 2.0), (0.5, 0.0, 0.5)]
)
@pytest.mark.parametrize(("name", "info"), CASES)
def test_pasted_ramp_is_exact(name: str, info: ColorInfo, place: tuple[float, float, float]) -> None:
    dx, dy, scale = place
    frame = ramp_frame(name, info)
    frame_from_patch = geometry.compose(geometry.translation(16 + dx, 16 + dy), geometry.scaling(scale))
    columns, rows = np.meshgrid(np.arange(round(48 / scale)) + 0.5, np.arange(round(32 / scale)) + 0.5)
    x, y = 16 + dx + scale * columns, 16 + dy + scale * rows

    def target(i: int, x: NDArray, y: NDArray) -> NDArray:
        return ramp_codes((i + 1) % 3 if info.matrix == "rgb" else i, 100 - x, y, info.bit_depth)

    rgb = exact_rgb(np.stack([target(i, x, y) for i in range(3)]), info)
    pasted = paste(frame, patch_on(rgb, frame_from_patch))
    for i, plane in enumerate(pasted.planes):
        xs, ys = places(frame.layout.chroma_shift if i else (0, 0), info.siting, SIZE)
        part = inner(plane, frame)
        assert np.abs(plane[part] - target(i, xs[part], ys[part])).max() <= ROUNDING


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_blend_of_half_alpha_is_rounded_once(bits: int) -> None:
    name = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    info = ColorInfo("bt709", False, bits)
    frame = ramp_frame(name, info)
    rgb = np.broadcast_to(np.array([0.71, 0.43, 0.27]).reshape(3, 1, 1), (3, 32, 48))
    patch = patch_on(rgb, geometry.translation(16, 16))
    pasted = paste(frame, replace(patch, mask=np.full((1, 32, 48), 0.37, dtype=np.float32)))
    for plane, old, code in zip(pasted.planes, frame.planes, exact_codes(rgb[:, :1, :1], info).ravel(), strict=True):
        part = inner(plane, frame)
        exact = 0.63 * old[part].astype(np.float64) + 0.37 * code
        assert np.abs(plane[part] - exact).max() <= ROUNDING
