"""Grain on a device against `convert.grain`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from device_cases import planes_of
from makers import face_at, noise_frame

from faceswap.convert import grain
from faceswap.convert.device.grain import DeviceGrainMatcher, measure
from faceswap.types import Frame

CPU = torch.device("cpu")


def grainy(deviation: float, seed: int, pix_fmt: str = "yuv420p") -> Frame:
    frame = noise_frame(pix_fmt, (240, 300), seed=seed)
    noise = np.random.default_rng(seed).normal(0, deviation * 2 ** (frame.color.bit_depth - 8), frame.size)
    luma = np.clip(frame.planes[0] + noise, 0, None).astype(frame.planes[0].dtype)
    return replace(frame, planes=(luma, *frame.planes[1:]), index=seed)


FACES = [face_at(150, 110, 40), face_at(80, 60, 23.7), face_at(2, 110, 50), face_at(298, 235, 60), face_at(100, 100, 5)]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_grain_is_measured_as_on_the_cpu(pix_fmt: str) -> None:
    frames = [grainy(deviation, i, pix_fmt) for i, deviation in enumerate((0.0, 2.0, 5.0))]
    where = [(i, face) for i in range(3) for face in FACES]
    expected = np.array([grain.measure(frames[i], face) for i, face in where])
    windows = [grain.window_of(frames[i].size, face) for i, face in where]
    found = measure(planes_of(frames), [i for i, _ in where], windows).numpy()
    assert np.isnan(expected[-1]).all()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5)


def test_strengths_and_noise_are_those_of_the_cpu() -> None:
    frames = [grainy(3.0, i) for i in range(4)]
    faces = [replace(FACES[0], frame=i) for i in range(4)]
    seen = [grain.measure(frame, face) for frame, face in zip(frames, faces, strict=True)]
    seen[1] = (float("nan"), float("nan"))
    reference = grain.GrainMatcher()
    expected = []
    for i, face in enumerate(faces):
        reference.observe("key", seen[i])
        expected.append(reference.grain_of("key", i, face))
    matcher = DeviceGrainMatcher(CPU)
    strengths = matcher.strengths(["key"] * 4, torch.tensor(seen, dtype=torch.float64), torch.ones(4, dtype=torch.bool))
    assert all(each is not None and each.fine > 0 for each in expected)
    np.testing.assert_allclose(strengths.numpy(), [(each.fine, each.coarse) for each in expected], rtol=1e-5)
    seeds = [grain.seed_of(i, face) for i, face in enumerate(faces)]
    noise = matcher.noise(strengths, seeds, (50, 70), frames[0].color).numpy()
    for a, each in zip(noise, expected, strict=True):
        np.testing.assert_allclose(a, each.codes((50, 70), frames[0]), atol=1e-4)


def test_unseen_and_unwanted_grain_is_none() -> None:
    matcher = DeviceGrainMatcher(CPU)
    seen = torch.tensor([[0.0005, 0.0001], [0.02, 0.01], [0.02, 0.01]], dtype=torch.float64)
    found = matcher.strengths(["quiet", "off", "on"], seen, torch.tensor([True, False, True]))
    assert (found[:2] == 0).all()
    assert (found[2, 0] > 0).all()
