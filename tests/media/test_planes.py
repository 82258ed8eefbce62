from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from makers import noise_frame
from numpy.typing import NDArray

from faceswap.media.dither import bayer_tile
from faceswap.media.layouts import layout_of
from faceswap.media.planes import convert_planes, rgb_color, weave
from faceswap.media.rgb import rgb_codes, rgb_values
from faceswap.types import ColorInfo, Frame, PlaneLayout

WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
OFFSETS = {"left": (-0.5, 0.0), "center": (0.0, 0.0), "topleft": (-0.5, -0.5)}
SIZE = (42, 50)


def depth_of(name: str) -> int:
    return layout_of(name)[1]


def full_luma(color: ColorInfo) -> tuple[float, float, float, float]:
    """Return (luma scale, black, chroma scale, chroma zero) as H.273 has them."""
    n = color.bit_depth
    if color.full_range:
        return 2**n - 1, 0, 2**n - 1, 2 ** (n - 1)
    return 219 * 2 ** (n - 8), 2 ** (n - 4), 224 * 2 ** (n - 8), 2 ** (n - 1)


def ypbpr_of(planes: list[NDArray], color: ColorInfo) -> list[NDArray]:
    if color.matrix == "rgb":
        return [plane / (2**color.bit_depth - 1) for plane in planes]
    scale, black, chroma, zero = full_luma(color)
    return [(planes[0] - black) / scale, (planes[1] - zero) / chroma, (planes[2] - zero) / chroma]


def codes_of(values: list[NDArray], color: ColorInfo) -> list[NDArray]:
    if color.matrix == "rgb":
        return [value * (2**color.bit_depth - 1) for value in values]
    scale, black, chroma, zero = full_luma(color)
    return [values[0] * scale + black, values[1] * chroma + zero, values[2] * chroma + zero]


def gbr_of(values: list[NDArray], color: ColorInfo) -> list[NDArray]:
    if color.matrix == "rgb":
        return values
    (kr, kb), (y, pb, pr) = WEIGHTS[color.matrix], values
    red, blue = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
    return [(y - kr * red - kb * blue) / (1 - kr - kb), blue, red]


def ypbpr_from_gbr(values: list[NDArray], color: ColorInfo) -> list[NDArray]:
    if color.matrix == "rgb":
        return values
    (kr, kb), (green, blue, red) = WEIGHTS[color.matrix], values
    y = kr * red + (1 - kr - kb) * green + kb * blue
    return [y, (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))]


def resampling(num_luma: int, shift: int, place: float, to_shift: int, to_place: float) -> NDArray:
    """Return the (outputs, inputs) matrix of one direction, row by row as defined."""
    step, to_step = 2**shift, 2**to_shift
    count, to_count = -(-num_luma // step), -(-num_luma // to_step)
    matrix = np.zeros((to_count, count))
    for row in range(to_count):
        luma = (row + 0.5) * to_step + to_place * (to_step - 1)
        centre = (luma - place * (step - 1)) / step
        width = to_step / step
        for far in range(-20, count + 20):
            weight = (
                max(0.0, min(far + 1, centre + width / 2) - max(far, centre - width / 2)) / width
                if width > 1
                else max(0.0, 1 - abs(far + 0.5 - centre))
            )
            matrix[row, min(max(far, 0), count - 1)] += weight
    return matrix


def resampled(plane: NDArray, size: tuple[int, int], grids: tuple[tuple, tuple]) -> NDArray:
    (shift, siting), (to_shift, to_siting) = grids
    rows = resampling(size[0], shift[0], OFFSETS[siting][1], to_shift[0], OFFSETS[to_siting][1])
    columns = resampling(size[1], shift[1], OFFSETS[siting][0], to_shift[1], OFFSETS[to_siting][0])
    return rows @ plane.astype(np.float64) @ columns.T


def reference(frame: Frame, to_layout: PlaneLayout, to_color: ColorInfo) -> list[NDArray]:
    """Return the codes of three planes before they are rounded, in float64."""
    here, there = (frame.layout.chroma_shift, frame.color.siting), (to_layout.chroma_shift, to_color.siting)
    full, size = ((0, 0), "center"), frame.size
    is_direct = frame.color.matrix == to_color.matrix
    middle = there if is_direct else full
    planes = [frame.planes[0].astype(np.float64), *(resampled(p, size, (here, middle)) for p in frame.planes[1:3])]
    values = ypbpr_of(planes, frame.color)
    if is_direct:
        return codes_of(values, to_color)
    codes = codes_of(ypbpr_from_gbr(gbr_of(values, frame.color), to_color), to_color)
    return [codes[0], *(resampled(p, size, (full, there)) for p in codes[1:])]


def frame_of(name: str, *, size: tuple[int, int] = SIZE, full: bool = False, **color: str) -> Frame:
    frame = noise_frame(name, size, seed=3)
    return replace(frame, color=replace(frame.color, full_range=full or frame.layout.is_rgb, **color))


def converted(frame: Frame, name: str, color: ColorInfo | None = None) -> tuple[NDArray, ...]:
    layout, bits = layout_of(name)
    color = color or replace(frame.color, bit_depth=bits)
    return convert_planes(frame.planes, frame.layout, frame.color, layout, color)


YUV = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p12le", "yuv444p16le"]
PAIRS = [(a, b) for a, b in product(YUV, YUV) if a != b]


@pytest.mark.parametrize("full", [False, True], ids=["studio", "full"])
@pytest.mark.parametrize(("name", "to_name"), PAIRS, ids=lambda name: name)
def test_yuv_formats_agree_with_exact_arithmetic(name: str, to_name: str, full: bool) -> None:
    for siting, size in (("left", SIZE), ("topleft", (41, 51))):
        frame = frame_of(name, full=full, siting=siting, size=size)
        layout, bits = layout_of(to_name)
        to_color = replace(frame.color, bit_depth=bits)
        limit = 1.0 if bits < frame.color.bit_depth else 0.5  # dither moves by up to a code, rounding by half of one
        for plane, exact in zip(converted(frame, to_name), reference(frame, layout, to_color), strict=True):
            assert plane.shape == exact.shape
            assert plane.dtype == (np.uint8 if bits == 8 else np.uint16)
            assert np.abs(plane - exact).max() <= limit + 0.01


@pytest.mark.parametrize("matrix", list(WEIGHTS))
@pytest.mark.parametrize("full", [False, True], ids=["studio", "full"])
@pytest.mark.parametrize(
    ("name", "to_name"), [("yuv420p", "gbrp"), ("yuv420p10le", "gbrp16le"), ("yuv422p", "gbrp10le")]
)
def test_yuv_to_rgb_and_back_agrees_with_exact_arithmetic(name: str, to_name: str, full: bool, matrix: str) -> None:
    for siting in OFFSETS:
        frame = frame_of(name, full=full, matrix=matrix, siting=siting)
        layout, bits = layout_of(to_name)
        planes = converted(frame, to_name, rgb_color(bits))
        exact = [np.clip(e, 0, 2**bits - 1) for e in reference(frame, layout, rgb_color(bits))]
        for plane, expected in zip(planes, exact, strict=True):
            assert np.abs(plane - expected).max() <= 0.51
        rgb = Frame(planes, layout, rgb_color(bits), frame.time, 0)
        color = replace(frame.color, bit_depth=depth_of(name))
        limit = 1.0 if depth_of(name) < bits else 0.5
        for plane, expected in zip(converted(rgb, name, color), reference(rgb, frame.layout, color), strict=True):
            assert np.abs(plane - expected).max() <= limit + 0.01


def test_change_of_matrix_agrees_with_exact_arithmetic() -> None:
    frame = frame_of("yuv420p10le", matrix="bt601")
    color = replace(frame.color, matrix="bt709", full_range=True)
    for plane, exact in zip(converted(frame, "yuv420p10le", color), reference(frame, frame.layout, color), strict=True):
        assert np.abs(plane - exact).max() <= 0.51


@pytest.mark.parametrize(("bits", "to_bits"), [(8, 10), (8, 16), (10, 12), (12, 16)])
def test_more_bits_of_studio_range_are_a_shift(bits: int, to_bits: int) -> None:
    name, to_name = (f"yuv420p{'' if b == 8 else f'{b}le'}" for b in (bits, to_bits))
    frame = frame_of(name)
    wide = converted(frame, to_name)
    for plane, old in zip(wide, frame.planes, strict=True):
        np.testing.assert_array_equal(plane, old.astype(int) * 2 ** (to_bits - bits))
    back = converted(Frame(wide, layout_of(to_name)[0], replace(frame.color, bit_depth=to_bits), frame.time, 0), name)
    for plane, old in zip(back, frame.planes, strict=True):
        np.testing.assert_array_equal(plane, old)


def test_more_bits_of_full_range_keep_black_white_and_grey() -> None:
    codes = np.array([[0, 255, 128, 1]], dtype=np.uint8).repeat(16, axis=0)
    frame = replace(frame_of("yuv444p", full=True), planes=(codes,) * 3)
    luma, chroma, _ = converted(frame, "yuv444p10le")
    assert luma[0].tolist() == [0, 1023, 514, 4]
    assert chroma[0, 2] == 512  # no colour stays no colour


def test_same_samples_are_handed_on_as_they_are() -> None:
    frame = frame_of("yuv444p")
    for plane, old in zip(converted(frame, "yuva444p"), frame.planes, strict=False):
        assert plane is old


@pytest.mark.parametrize("full", [False, True], ids=["studio", "full"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_dither_keeps_the_local_mean_and_shows_no_bands(bits: int, full: bool) -> None:
    top = 2**bits - 1
    ramp = np.linspace(0.3 * top, 0.32 * top, 640)[None].repeat(96, axis=0).round().astype(np.uint16)
    name = f"yuv444p{bits}le"
    frame = replace(frame_of(name, full=full), planes=(ramp,) * 3)
    layout, _ = layout_of("yuv444p")
    exact = reference(frame, layout, replace(frame.color, bit_depth=8))
    for plane, expected in zip(converted(frame, "yuv444p"), exact, strict=True):
        error = plane - expected
        # Means over windows as wide as the tile, at any place: bands would be steps of up to half a code.
        summed = np.pad(error.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        means = (summed[16:, 16:] - summed[:-16, 16:] - summed[16:, :-16] + summed[:-16, :-16]) / 256
        assert np.abs(means).max() <= 0.1
        assert abs(error.mean()) <= 0.02
        plain = np.rint(expected) - expected
        assert np.abs(plain.reshape(96, 40, 16).mean(axis=(0, 2))).max() > 0.3  # what rounding alone would do


def test_dither_leaves_codes_that_need_no_rounding() -> None:
    codes = (np.arange(256, dtype=np.uint16) * 4)[None].repeat(32, axis=0)
    frame = replace(frame_of("yuv444p10le"), planes=(codes,) * 3)
    for plane in converted(frame, "yuv444p"):
        np.testing.assert_array_equal(plane, codes // 4)


def test_dither_stops_at_white() -> None:
    codes = np.full((32, 32), 65535, dtype=np.uint16)
    for full in (False, True):
        frame = replace(frame_of("yuv444p16le", full=full), planes=(codes,) * 3)
        assert (converted(frame, "yuv444p")[0] == 255).all()


def test_dither_is_the_same_every_time() -> None:
    first, second = (converted(frame_of("yuv420p10le"), "yuv420p") for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_bayer_tile_holds_every_threshold_once() -> None:
    assert sorted(bayer_tile().ravel().tolist()) == list(range(256))
    # Coarse thresholds are spread evenly: each quarter of the tile holds as many low ones.
    assert [(bayer_tile()[y : y + 8, x : x + 8] < 64).sum() for y in (0, 8) for x in (0, 8)] == [16] * 4


def test_alpha_is_added_opaque_kept_dropped_and_deepened() -> None:
    frame = frame_of("yuv444p")
    added = converted(frame, "yuva444p10le")
    assert (added[3] == 1023).all()
    alpha = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint8)
    frame = replace(frame, planes=(*frame.planes, alpha), layout=layout_of("yuva444p")[0])
    assert converted(frame, "gbrap", rgb_color(8))[3] is alpha
    assert len(converted(frame, "yuv422p")) == 3
    deep = converted(frame, "yuva444p16le")[3]
    np.testing.assert_array_equal(deep, alpha.astype(int) * 257)


@pytest.mark.parametrize("siting", list(OFFSETS))
@pytest.mark.parametrize("name", ["yuv444p", "yuv422p", "yuv420p"])
def test_ramps_of_chroma_stay_where_they_are(name: str, siting: str) -> None:
    """A ramp sampled at any grid is the same ramp on any other, away from the borders."""
    x, y = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    layout, _ = layout_of("yuv444p16le")
    color = ColorInfo("bt709", False, 16, siting)
    plane = (20000 + 256 * x + 128 * y).astype(np.uint16)
    full = replace(frame_of("yuv444p16le"), planes=(plane,) * 3, color=color)
    small_layout, _ = layout_of(name + "16le")
    small = convert_planes(full.planes, layout, color, small_layout, color)
    sy, sx = (2**s for s in small_layout.chroma_shift)
    fx, fy = OFFSETS[siting]
    rows, columns = small[1].shape
    cx, cy = np.meshgrid((np.arange(columns) + 0.5) * sx + fx * (sx - 1), (np.arange(rows) + 0.5) * sy + fy * (sy - 1))
    np.testing.assert_allclose(small[1][2:-2, 2:-2], (20000 + 256 * cx + 128 * cy)[2:-2, 2:-2], atol=1)
    back = convert_planes(small, small_layout, color, layout, color)
    np.testing.assert_allclose(back[1][4:-4, 4:-4].astype(int), plane[4:-4, 4:-4].astype(int), atol=1)


def test_rgb_picture_is_rgb_of_either_depth() -> None:
    codes = [np.full(SIZE, value, dtype=np.uint8) for value in (51, 0, 255)]
    frame = replace(frame_of("gbrp"), planes=tuple(codes))
    picture = rgb_codes(rgb_values(frame), 16)
    assert (picture.shape, picture.dtype) == ((*SIZE, 3), np.uint16)
    assert picture[3, 4].tolist() == [65535, 51 * 257, 0]
    assert rgb_codes(rgb_values(frame), 8)[3, 4].tolist() == [255, 51, 0]


@pytest.mark.parametrize(("name", "to_name"), [("yuv422p", "yuv420p"), ("yuv420p10le", "yuv422p"), ("yuv420p", "gbrp")])
def test_fields_are_not_mixed(name: str, to_name: str) -> None:
    frame, other = frame_of(name), noise_frame(name, SIZE, seed=77)
    layout, bits = layout_of(to_name)
    color = rgb_color(bits) if layout.is_rgb else replace(frame.color, bit_depth=bits)
    mixed = [weave(a[0::2], b[1::2]) for a, b in zip(frame.planes, other.planes, strict=True)]
    first, second = (
        convert_planes(planes, frame.layout, frame.color, layout, color, is_interlaced=True)
        for planes in (frame.planes, mixed)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a[0::2], b[0::2])
        assert (a[1::2] != b[1::2]).any()


def test_luma_of_two_fields_is_not_mixed_by_another_matrix() -> None:
    frame, other = frame_of("yuv420p"), noise_frame("yuv420p", SIZE, seed=77)
    sd = replace(frame.color, matrix="bt601")
    mixed = [weave(a[0::2], b[1::2]) for a, b in zip(frame.planes, other.planes, strict=True)]
    first, second = (
        convert_planes(planes, frame.layout, sd, frame.layout, frame.color, is_interlaced=True)
        for planes in (frame.planes, mixed)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a[0::2], b[0::2])
        assert (a[1::2] != b[1::2]).any()


def test_whole_pictures_of_interlaced_frames_do_not_mix_fields_either() -> None:
    frame, other = frame_of("yuv420p"), noise_frame("yuv420p", SIZE, seed=77)
    planes = tuple(weave(a[0::2], b[1::2]) for a, b in zip(frame.planes, other.planes, strict=True))
    mixed = replace(frame, planes=planes)
    first, second = (rgb_codes(rgb_values(f, is_interlaced=True), 8) for f in (frame, mixed))
    np.testing.assert_array_equal(first[0::2], second[0::2])
    first, second = (rgb_values(f, is_interlaced=True) for f in (frame, mixed))
    np.testing.assert_array_equal(first[:, 0::2], second[:, 0::2])
    assert (rgb_values(frame)[:, 0::2] != rgb_values(mixed)[:, 0::2]).any()


@pytest.mark.parametrize("siting", ["left", "center"])
def test_ramps_across_the_lines_of_both_fields_stay_where_they_are(siting: str) -> None:
    """Chroma that rises evenly down the frame rises evenly in each field and over both, away from the borders."""
    size, color = (64, 32), ColorInfo("bt709", False, 16, siting)
    small, full = layout_of("yuv420p16le")[0], layout_of("yuv422p16le")[0]
    lines = (20000 + 200 * np.arange(32)).astype(np.uint16)[:, None].repeat(16, axis=1)
    luma = np.full(size, 30000, dtype=np.uint16)
    _, chroma, _ = convert_planes((luma, lines, lines), small, color, full, color, is_interlaced=True)
    expected = 20000 + 200 * ((np.arange(64) + 0.5) / 2 - 0.5)
    np.testing.assert_allclose(chroma[4:-4, 8].astype(float), expected[4:-4], atol=1)
    _, back, _ = convert_planes((luma, chroma, chroma), full, color, small, color, is_interlaced=True)
    np.testing.assert_allclose(back[4:-4].astype(float), lines[4:-4].astype(float), atol=1)
