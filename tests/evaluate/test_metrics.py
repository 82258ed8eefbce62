"""Each figure is perfect on a copy and moves under its own fault."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceswap.evaluate import metrics

SIDE = 64


@pytest.fixture
def picture() -> np.ndarray:
    return (
        cv2.GaussianBlur(np.random.default_rng(0).random((SIDE, SIDE, 3)), (0, 0), 0.8).transpose(2, 0, 1).astype("f")
    )


@pytest.fixture
def mask() -> np.ndarray:
    disc = np.zeros((SIDE, SIDE), dtype=np.float32)
    cv2.circle(disc, (SIDE // 2, SIDE // 2), 18, 1.0, -1)
    return disc[None]


def blurred(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture.transpose(1, 2, 0), (0, 0), 1.5).transpose(2, 0, 1)


def test_sharpness_ratio_is_one_on_a_copy_and_falls_with_blur(picture: np.ndarray, mask: np.ndarray) -> None:
    assert metrics.sharpness_ratio(picture, picture, mask) == pytest.approx(1)
    assert metrics.sharpness_ratio(blurred(picture), picture, mask) < 0.5


def test_sharpness_ratio_ignores_a_colour_cast(picture: np.ndarray, mask: np.ndarray) -> None:
    assert metrics.sharpness_ratio(picture + 0.1, picture, mask) == pytest.approx(1, abs=1e-3)


def test_seam_figure_sees_a_cast_inside_the_mask(mask: np.ndarray) -> None:
    flat = np.full((3, SIDE, SIDE), 0.5, dtype=np.float32)
    assert metrics.seam_delta_e(flat, mask) == pytest.approx(0, abs=1e-3)
    assert metrics.seam_delta_e(flat + 0.1 * mask, mask) > 3


def test_skin_figure_is_zero_on_a_copy_and_grows_with_a_cast(picture: np.ndarray, mask: np.ndarray) -> None:
    assert metrics.skin_delta_e(picture, picture, mask) == pytest.approx(0, abs=1e-6)
    assert metrics.skin_delta_e(np.clip(picture + 0.1, 0, 1), picture, mask) > 3


def test_flicker_is_zero_for_steady_change_and_not_for_alternation() -> None:
    steady = np.linspace(0, 10, 20)[:, None].repeat(3, axis=1)
    assert metrics.flicker(steady) == pytest.approx(0, abs=1e-9)
    assert metrics.flicker(steady + (np.arange(20) % 2)[:, None]) > 1
