"""Noise made on a device against `Grain.codes`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import noise_frame

from faceswap.convert.device.grain import DeviceNoise
from faceswap.convert.grain import Grain

GRAINS = [
    Grain((((0, 0.02), (5, 0.01)), ((3, 0.004),), ()), seed=7),
    None,
    Grain((((2, 0.03),), (), ()), seed=8),
]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
@pytest.mark.parametrize("plane", [0, 1])
def test_noise_is_that_of_the_cpu(pix_fmt: str, plane: int) -> None:
    frame, size = noise_frame(pix_fmt), (50, 70)
    found = DeviceNoise(torch.device("cpu")).codes(GRAINS, plane, size, frame.color)
    assert found is not None
    for noise, grain in zip(found.numpy(), GRAINS, strict=True):
        expected = None if grain is None else grain.codes(size, frame, plane)
        np.testing.assert_allclose(noise, np.zeros(size) if expected is None else expected, atol=1e-3)


def test_planes_without_noise_cost_nothing() -> None:
    noise = DeviceNoise(torch.device("cpu"))
    assert noise.codes(GRAINS, 2, (50, 70), noise_frame().color) is None
    assert noise.codes([None, None], 0, (50, 70), noise_frame().color) is None
    assert noise.codes(GRAINS, 0, (0, 0), noise_frame().color) is None
