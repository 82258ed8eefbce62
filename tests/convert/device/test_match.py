"""Colour match on a device against `convert.match` and `color`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import smooth_noise

from faceswap import color
from faceswap.convert.device import statistics
from faceswap.convert.device.match import KINDS, DeviceColorMatcher
from faceswap.convert.device.running import RunningMeans
from faceswap.convert.match import ColorMatcher

CPU = torch.device("cpu")


def soft(seed: int, size: int = 64) -> np.ndarray:
    return np.ascontiguousarray(smooth_noise((size, size), seed).transpose(2, 0, 1))


def disc(size: int = 64, radius: float = 0.4) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size - 0.5
    return np.clip((radius - np.hypot(x, y)) * 20 + 0.5, 0, 1).astype(np.float32)[None]


def random_covariances(count: int) -> np.ndarray:
    random = np.random.default_rng(3)
    roots = random.normal(0, 0.1, (count, 3, 3)) * random.uniform(0.05, 1, (count, 1, 3))
    return roots @ roots.transpose(0, 2, 1)


def test_square_roots_are_roots() -> None:
    given = torch.from_numpy(random_covariances(50) + 1e-6 * np.eye(3))
    given = torch.cat([given, torch.eye(3, dtype=torch.float64)[None] * 0.02])  # three eigenvalues alike
    roots = statistics.square_root(given)
    assert (roots @ roots - given).abs().max() < 1e-9
    assert torch.allclose(roots @ statistics.inverse(roots), torch.eye(3, dtype=torch.float64), atol=1e-8)


def test_maps_are_those_of_color() -> None:
    a, b = random_covariances(20), random_covariances(20)[::-1].copy()
    means = np.random.default_rng(4).uniform(0.1, 0.8, (2, 20, 3))
    moments = [statistics.Moments(torch.from_numpy(m), torch.from_numpy(c)) for m, c in zip(means, (a, b), strict=True)]
    for name in ("mkl_map", "reinhard_map", "mean_map"):
        found = getattr(statistics, name)(*moments)
        held = statistics.limited(found, moments[0].mean, 1.1)
        for i in range(20):
            pair = [color.Statistics(means[k, i], c[i]) for k, c in enumerate((a, b))]
            expected = getattr(color, name)(*pair)
            np.testing.assert_allclose(found.linear[i], expected.linear, atol=1e-6)
            np.testing.assert_allclose(found.offset[i], expected.offset, atol=1e-6)
            limit = color.limited(expected, means[0, i], 1.1)
            np.testing.assert_allclose(held.linear[i], limit.linear, atol=1e-5)
            np.testing.assert_allclose(held.offset[i], limit.offset, atol=1e-5)


def test_paired_statistics_leave_out_the_same_places() -> None:
    source, target, mask = soft(1), soft(1) * 0.6 + 0.1, disc()
    target[:, 20:34, 20:34] = soft(9)[:, 20:34, 20:34]  # something in front
    expected = color.paired_statistics(source, target, mask)
    given = [torch.from_numpy(each).double().flatten(1)[None] for each in (source, target, mask)]
    found = statistics.paired_moments(given[0], given[1], given[2][:, 0])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.mean[0], b.mean, atol=1e-9)
        np.testing.assert_allclose(a.covariance[0], b.covariance, atol=1e-9)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("size", [64, 128])
def test_matcher_is_that_of_the_cpu_over_batches(kind: str, size: int) -> None:
    """Two tracks, one of which is covered at first; batches of other sizes must not matter."""
    keys = [(0, 0), (0, 1), (0, 0), (0, 1), (0, 0), (1, 0), (1, 0)]
    swapped = [soft(i, size) for i in range(7)]
    originals = [soft(20 + i, size) * 0.7 for i in range(7)]
    masks = [disc(size)] * 7
    masks[1] = np.zeros((1, size, size), np.float32)
    expected = ColorMatcher(kind).match(keys, swapped, originals, masks)
    for sizes in ((7,), (3, 4), (1,) * 7):
        matcher, start, found = DeviceColorMatcher(kind, CPU), 0, []
        for count in sizes:
            part = slice(start, start + count)
            batch = [torch.from_numpy(np.stack(each[part])) for each in (swapped, originals, masks)]
            found += list(matcher.match(keys[part], *batch).numpy())
            start += count
        assert np.array_equal(found[1], swapped[1])  # nothing was seen of that track yet
        for a, b in zip(found, expected, strict=True):
            assert np.abs(a - b).max() < 1e-4


def test_running_means_are_what_following_one_by_one_gives() -> None:
    random = np.random.default_rng(0)
    keys = list(random.integers(0, 3, 40))
    values, valid = random.normal(size=(40, 2)), random.random(40) > 0.3
    means = RunningMeans(0.1, CPU)
    parts = [
        means.follow(keys[i : i + 8], torch.from_numpy(values[i : i + 8]), torch.from_numpy(valid[i : i + 8]))
        for i in range(0, 40, 8)
    ]
    found, known = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    state: dict[int, tuple[np.ndarray, int]] = {}
    for i, key in enumerate(keys):
        if valid[i]:
            old, count = state.get(key, (values[i], 0))
            weight = max(0.1, 1 / (count + 1))
            state[key] = old + weight * (values[i] - old), count + 1
        assert known[i] == (key in state)
        if key in state:
            np.testing.assert_allclose(found[i], state[key][0], atol=1e-12)
