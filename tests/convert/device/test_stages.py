"""The stages between crop and paste on a device against the functions on the CPU that they stand for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from makers import smooth_noise

from faceswap.convert.definition import DefinitionMatcher
from faceswap.convert.device import filters
from faceswap.convert.device.definition import DeviceDefinitionMatcher
from faceswap.convert.device.light import keep_light as keep_light_on_device
from faceswap.convert.light import keep_light
from faceswap.figures.detail import band

CPU = torch.device("cpu")
SIZES = [64, 96, 130]


def soft(seed: int, size: int = 64, blur: float = 3.0) -> np.ndarray:
    return np.ascontiguousarray(smooth_noise((size, size), seed, blur=blur).transpose(2, 0, 1))


def disc(size: int = 64, radius: float = 0.4) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size - 0.5
    return np.clip((radius - np.hypot(x, y)) * 20 + 0.5, 0, 1).astype(np.float32)[None]


def stacked(*arrays: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))


@pytest.mark.parametrize("sigma", [0.45, 1.0, 1.2, 3.7])
@pytest.mark.parametrize(("border", "name"), [("zero", cv2.BORDER_CONSTANT), ("reflect", cv2.BORDER_REFLECT_101)])
def test_blur_is_that_of_opencv(sigma: float, border, name: int) -> None:
    picture = soft(1, blur=1)
    expected = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma, borderType=name) for plane in picture])
    assert np.abs(filters.blur(stacked(picture), sigma, border)[0].numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (64, 13)])
def test_area_filter_is_that_of_opencv(size: tuple[int, int]) -> None:
    picture = soft(2, blur=1)
    expected = np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA) for plane in picture])
    assert np.abs(filters.area(stacked(picture), size)[0].numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 9])
def test_erosion_is_that_of_opencv(radius: int) -> None:
    mask = soft(3, blur=1)[:1]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    expected = cv2.erode(mask[0], kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    assert np.abs(filters.eroded(stacked(mask), radius)[0, 0].numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("border", "name"), [("mirror", cv2.BORDER_REFLECT), ("reflect", cv2.BORDER_REFLECT_101)])
def test_box_filter_is_that_of_opencv(border, name: int) -> None:
    picture = soft(4, blur=1)
    expected = np.stack([cv2.blur(plane, (7, 7), borderType=name) for plane in picture])
    assert np.abs(filters.boxed(stacked(picture), 3, border)[0].numpy() - expected).max() < 1e-5


def test_dilation_is_that_of_opencv() -> None:
    mask = soft(3, blur=1)[:1]
    expected = cv2.dilate(mask[0], np.ones((7, 7), np.uint8))
    assert np.array_equal(filters.dilated(stacked(mask), 3)[0, 0].numpy(), expected)


@pytest.mark.parametrize("size", SIZES)
def test_light_is_kept_as_on_the_cpu(size: int) -> None:
    swapped, originals = [soft(i, size) for i in range(4)], [soft(9 + i, size) * 0.6 for i in range(4)]
    shapes = [disc(size), disc(size, 0.25), disc(size), np.zeros((1, size, size), np.float32)]
    strengths = [1.0, 0.5, 0.0, 1.0]
    expected = [keep_light(*each) for each in zip(swapped, originals, shapes, strengths, strict=True)]
    found = keep_light_on_device(
        stacked(*swapped), stacked(*originals), stacked(*shapes), torch.tensor(strengths)
    ).numpy()
    assert np.abs(expected[0] - swapped[0]).max() > 0.02
    assert np.array_equal(found[2], swapped[2])
    assert np.array_equal(found[3], swapped[3])
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= 1 / 255  # OpenCV's distances are 2 % off


@pytest.mark.parametrize("size", SIZES)
def test_definition_is_matched_as_on_the_cpu(size: int) -> None:
    keys = [(0, 0), (0, 1), (0, 0), (0, 0), (0, 1)]
    swapped = [soft(i, size, blur=2) for i in range(5)]
    originals = [soft(9 + i, size, blur=1.2) for i in range(5)]
    shapes = [disc(size)] * 4 + [np.zeros((1, size, size), np.float32)]
    noise, strengths = [0.01, 0.0, 0.02, 0.0, 0.0], [1.0, 0.5, 1.0, 0.0, 1.0]
    reference = DefinitionMatcher()
    expected = [
        reference.match(key, new, old, mask, noise=n, strength=s)
        for key, new, old, mask, n, s in zip(keys, swapped, originals, shapes, noise, strengths, strict=True)
    ]
    matcher = DeviceDefinitionMatcher()
    found = matcher.match(
        keys, stacked(*swapped), stacked(*originals), stacked(*shapes), torch.tensor(noise), torch.tensor(strengths)
    ).numpy()
    energy = [float(np.square(band(each[0].mean(axis=0))).mean()) for each in (swapped, expected)]
    assert energy[1] > 1.2 * energy[0]  # there was something to do
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() < 1e-3
