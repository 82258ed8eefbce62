from __future__ import annotations

from functools import lru_cache
from itertools import product

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap import color
from faceswap.types import ColorInfo

ALL_COLORS = [
    ColorInfo(matrix, full, bits) for matrix, full, bits in product(color.MATRICES, (False, True), (8, 10, 12, 16))
]


def codes_of(rgb: tuple[float, float, float], info: ColorInfo) -> list[int]:
    pixel = np.array(rgb, dtype=np.float32).reshape(3, 1, 1)
    return np.rint(color.transform(pixel, color.codes_from_rgb(info))).astype(int).ravel().tolist()


def name_of(info: ColorInfo) -> str:
    return f"{info.matrix}-{'full' if info.full_range else 'studio'}-{info.bit_depth}"


@lru_cache
def portrait() -> NDArray[np.float32]:
    """(3, 96, 96) a real face, its values between 0.25 and 0.7."""
    from skimage.data import astronaut

    crop = cv2.resize(astronaut()[50:200, 150:300], (96, 96), interpolation=cv2.INTER_AREA)
    return (0.25 + 0.45 * crop.transpose(2, 0, 1) / 255).astype(np.float32)


def disc() -> NDArray[np.float32]:
    y, x = np.indices((96, 96)) - 47.5
    return (np.hypot(x, y) < 40).astype(np.float32)[None]


def random_cast(seed: int) -> color.Affine:
    """Return gains, a little cross-talk and an offset: what graders and white balances do."""
    rng = np.random.default_rng(seed)
    talk = rng.uniform(-0.05, 0.05, (3, 3))
    linear = np.diag(rng.uniform(0.75, 1.25, 3)) + (talk + talk.T) / 2
    return color.Affine(linear, rng.uniform(-0.06, 0.06, 3))


@pytest.mark.parametrize("info", ALL_COLORS, ids=name_of)
def test_rgb_comes_back_from_code_values(info: ColorInfo) -> None:
    rgb = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    codes = color.transform(rgb, color.codes_from_rgb(info))
    np.testing.assert_allclose(color.transform(codes, color.rgb_from_codes(info)), rgb, atol=1e-5)


@pytest.mark.parametrize("info", ALL_COLORS, ids=name_of)
def test_all_rgb_colours_fit_into_the_code_range(info: ColorInfo) -> None:
    corners = np.array(list(product((0, 1), repeat=3)), dtype=np.float32).T.reshape(3, 1, 8)
    codes = color.transform(corners, color.codes_from_rgb(info))
    # Full range has 2^n steps around a zero at 2^(n-1), so that one end of the chroma axis lies half a code outside.
    assert codes.min() >= -0.51 - 1e-6 * 2**info.bit_depth
    assert codes.max() <= 2**info.bit_depth - 0.49 + 1e-6 * 2**info.bit_depth


@pytest.mark.parametrize(
    ("rgb", "info", "codes"),
    [
        ((1, 1, 1), ColorInfo("bt709"), [235, 128, 128]),
        ((0, 0, 0), ColorInfo("bt709"), [16, 128, 128]),
        ((1, 0, 0), ColorInfo("bt709"), [63, 102, 240]),
        ((0, 0, 1), ColorInfo("bt709"), [32, 240, 118]),
        ((1, 0, 0), ColorInfo("bt601"), [81, 90, 240]),
        ((1, 1, 1), ColorInfo("bt709", bit_depth=10), [940, 512, 512]),
        ((0, 0, 0), ColorInfo("bt2020", bit_depth=10), [64, 512, 512]),
        ((1, 1, 1), ColorInfo("bt601", full_range=True), [255, 128, 128]),
        ((1, 0, 0), ColorInfo("bt601", full_range=True), [76, 85, 255]),
        ((1, 0.2, 0), ColorInfo("rgb", full_range=True), [51, 0, 255]),  # planes are G, B, R
    ],
)
def test_known_code_values(rgb: tuple[float, float, float], info: ColorInfo, codes: list[int]) -> None:
    # JPEG's full-range red has Cr = 255.5, which is cut to 255.
    assert np.minimum(codes_of(rgb, info), 2**info.bit_depth - 1).tolist() == codes


def test_masked_statistics_ignore_what_is_outside() -> None:
    rng = np.random.default_rng(0)
    pixels, mask = rng.random((3, 20, 20)), np.zeros((1, 20, 20))
    mask[:, 5:15, 5:15] = 1
    polluted = np.where(mask > 0, pixels, 1e6)
    inside = pixels[:, 5:15, 5:15].reshape(3, -1)
    for picture in (pixels, polluted):
        found = color.masked_statistics(picture, mask)
        np.testing.assert_allclose(found.mean, inside.mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(found.covariance, np.cov(inside, ddof=0), atol=1e-9)


def test_statistics_weigh_soft_masks() -> None:
    pixels = np.stack([np.array([[0.0, 1.0]])] * 3)
    found = color.masked_statistics(pixels, np.array([[[0.25, 0.75]]]))
    np.testing.assert_allclose(found.mean, 0.75)


def test_blended_statistics_move_by_the_weight() -> None:
    a, b = color.Statistics(np.zeros(3), np.eye(3)), color.Statistics(np.ones(3), 3 * np.eye(3))
    blended = a.blended(b, 0.25)
    np.testing.assert_allclose(blended.mean, 0.25)
    np.testing.assert_allclose(blended.covariance, 1.5 * np.eye(3))


def test_mkl_map_gives_the_target_moments() -> None:
    rng = np.random.default_rng(3)
    source, target = (color.masked_statistics(rng.random((3, 3)) @ rng.random((3, 500)), np.ones(500)) for _ in "ab")
    linear, offset = color.mkl_map(source, target, floor=0)
    np.testing.assert_allclose(linear @ source.mean + offset, target.mean, atol=1e-9)
    np.testing.assert_allclose(linear @ source.covariance @ linear.T, target.covariance, atol=1e-6)


def test_mkl_map_between_equal_statistics_is_the_identity() -> None:
    statistics = color.masked_statistics(portrait(), disc())
    np.testing.assert_allclose(color.mkl_map(statistics, statistics).linear, np.eye(3), atol=1e-6)


def test_mkl_map_of_a_flat_patch_stays_finite() -> None:
    flat = color.masked_statistics(np.full((3, 4, 4), 0.5), np.ones((4, 4)))
    affine = color.mkl_map(flat, color.masked_statistics(portrait(), disc()))
    assert np.isfinite(affine.linear).all()
    assert np.isfinite(affine.offset).all()


@pytest.mark.parametrize("seed", range(12))
def test_masked_match_undoes_a_colour_cast(seed: int) -> None:
    original, mask = portrait(), disc()
    cast = np.clip(color.transform(original, random_cast(seed)), 0, 1)
    cast = np.where(mask > 0, cast, 0.0)  # another background than the original's
    affine = color.mkl_map(color.masked_statistics(cast, mask), color.masked_statistics(original, mask))
    difference = color.delta_e(np.clip(color.transform(cast, affine), 0, 1), original)
    assert difference[mask[0] > 0].mean() <= 1.0


def test_a_colour_cast_is_visible_before_the_match() -> None:
    cast = color.transform(portrait(), random_cast(0))
    assert color.delta_e(cast, portrait())[disc()[0] > 0].mean() > 3


def test_lab_agrees_with_scikit_image() -> None:
    from skimage.color import rgb2lab

    expected = rgb2lab(np.moveaxis(portrait(), 0, -1))
    # OpenCV reads Lab off an interpolated table.
    np.testing.assert_allclose(np.moveaxis(color.lab(portrait()), 0, -1), expected, atol=0.5)


def test_equal_colours_have_no_difference() -> None:
    assert color.delta_e(portrait(), portrait()).max() == 0


def test_paired_statistics_ignore_what_covers_one_of_the_pictures() -> None:
    random = np.random.default_rng(5)
    skin = np.array([0.6, 0.45, 0.4])[:, None, None] + 0.03 * random.standard_normal((3, 40, 40))
    occluded = skin.copy()
    occluded[:, :8] = 0.05  # a fifth of the face is behind something dark
    mask = np.ones((1, 40, 40))
    source, target = color.paired_statistics(0.8 * skin, occluded, mask)
    np.testing.assert_allclose(target.mean, source.mean / 0.8, atol=1e-3)
    np.testing.assert_allclose(target.covariance, source.covariance / 0.64, rtol=0.05)


def test_paired_statistics_give_the_cast_back() -> None:
    random = np.random.default_rng(6)
    shade = np.array([1.0, 0.9, 0.8])[:, None, None] * 0.1 * random.standard_normal((1, 30, 30))
    picture = 0.5 + shade + 0.02 * random.standard_normal((3, 30, 30))
    cast = np.array([[0.9, 0.05, 0], [0.05, 0.8, 0], [0, 0, 1.1]])
    changed = np.tensordot(cast, picture, 1) + 0.02
    fit = color.mkl_map(*color.paired_statistics(changed, picture, np.ones((1, 30, 30))))
    assert color.delta_e(color.transform(changed, fit), picture).mean() < 1


def test_statistics_of_an_empty_mask_are_finite() -> None:
    picture = np.full((3, 8, 8), 0.5)
    for statistics in color.paired_statistics(picture, picture, np.zeros((1, 8, 8))):
        assert np.isfinite(statistics.mean).all()


def test_limited_map_lets_coloured_light_pass() -> None:
    warmer = color.Affine(np.diag([0.9, 0.6, 0.4]), np.zeros(3))
    np.testing.assert_allclose(color.limited(warmer, np.full(3, 0.6), 1.1).linear, warmer.linear)


def test_limited_map_keeps_the_mean_and_bounds_the_contrast() -> None:
    around = np.array([0.5, 0.5, 0.5])
    steep = color.Affine(3 * np.eye(3), -1.0 * np.ones(3))  # 0.5 -> 0.5, contrast tripled
    gentle = color.limited(steep, around, 1.25)
    np.testing.assert_allclose(gentle.linear @ around + gentle.offset, around)
    np.testing.assert_allclose(gentle.linear, 1.25 * np.eye(3))


def test_limited_map_lets_exposure_pass() -> None:
    darker = color.Affine(0.4 * np.eye(3), np.zeros(3))
    np.testing.assert_allclose(color.limited(darker, np.full(3, 0.6), 1.25).linear, darker.linear)
