from __future__ import annotations

import numpy as np
import pytest
import torch

from faceswap import geometry, resample
from faceswap.geometry import Similarity

WARP_TOLERANCE = 1 / 32
"""Of the value range. OpenCV 4 rounds sampling points to 1/32 px, which on noise is that much; OpenCV 5 does not."""


@pytest.mark.parametrize("seed", range(20))
def test_warp_equals_grid_sample_where_it_does_not_shrink(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.random((40, 50, 3)).astype(np.float32)
    params = Similarity(rng.uniform(0, 1.2), rng.uniform(-3, 3), rng.uniform(-40, 40), rng.uniform(-40, 40))
    matrix = geometry.from_similarity(params)
    warped = resample.warp(image, matrix, (60, 70))
    reference = resample.warp_reference(torch.from_numpy(image).permute(2, 0, 1), matrix, (60, 70))
    np.testing.assert_allclose(warped, reference.permute(1, 2, 0).numpy(), atol=WARP_TOLERANCE)


def test_warp_by_identity_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 17), dtype=np.uint8)
    np.testing.assert_array_equal(resample.warp(image, np.eye(2, 3), (31, 17)), image)


def test_warp_puts_coordinates_where_the_convention_says() -> None:
    width = 32
    ramp = np.tile(np.arange(width, dtype=np.float32) + 0.5, (8, 1))  # each pixel holds its centre's x
    doubled = resample.warp(ramp, geometry.scaling(2), (16, 2 * width))
    expected = (np.arange(2 * width) + 0.5) / 2
    np.testing.assert_allclose(doubled[8, 2:-2], expected[2:-2], atol=WARP_TOLERANCE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_warp_keeps_dtype(dtype: type) -> None:
    image = np.ones((20, 20), dtype=dtype)
    assert resample.warp(image, geometry.scaling(0.3), (6, 6)).dtype == dtype


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.11])
def test_shrinking_does_not_alias(scale: float) -> None:
    board = (np.indices((128, 128)).sum(axis=0) % 2).astype(np.float32)  # averages to 1/2 on any larger area
    side = round(128 * scale)
    small = resample.warp(board, geometry.scaling(scale), (side, side))
    assert np.abs(small - 0.5).max() < 0.1


def test_shrinking_keeps_positions() -> None:
    ramp = np.tile(np.arange(128, dtype=np.float32) + 0.5, (128, 1))
    small = resample.warp(ramp, geometry.scaling(0.3), (38, 38))
    expected = (np.arange(38) + 0.5) / 0.3
    np.testing.assert_allclose(small[19, 2:-2], expected[2:-2], atol=0.3)


def test_warp_of_a_place_outside_the_picture_repeats_its_edge() -> None:
    image = np.full((20, 20), 7, dtype=np.uint8)
    assert (resample.warp(image, geometry.translation(-500, 0), (10, 10)) == 7).all()
