"""Masks along a track: noise is averaged out, movement is followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap import masks
from faceswap.masks.steady import SteadyMasks, steadied_mask

SIDE = 64


def disc(radius: float, centre: float = 32.0) -> NDArray[np.float32]:
    """Return a disc with a soft edge 5 px wide."""
    y, x = np.indices((SIDE, SIDE)) + 0.5
    distance = radius - np.hypot(x - centre, y - 32)
    return np.clip(distance / 5 + 0.5, 0, 1).astype(np.float32)[None]


def followed(given: list[NDArray[np.float32]], strength: float = 0.6) -> NDArray[np.float32]:
    steady = SteadyMasks()
    return np.stack([steady.follow("track", frame, mask, strength) for frame, mask in enumerate(given)])


def flicker(seen: NDArray[np.float32] | list[NDArray[np.float32]]) -> float:
    return float(np.diff(np.stack(list(seen)).sum(axis=(1, 2, 3)), 2).std())


def test_noise_of_an_edge_is_averaged_out() -> None:
    rng = np.random.default_rng(0)
    given = [disc(20 + rng.normal(0, 0.15)) for _ in range(40)]
    assert flicker(followed(given)) < 0.5 * flicker(given)


def test_a_sudden_change_is_followed_at_once() -> None:
    given = [disc(20)] * 5 + [disc(20) * (np.arange(SIDE) < 40)] * 3
    seen = followed(given)
    np.testing.assert_allclose(seen[5][0, :, 44:], 0, atol=1e-6)
    np.testing.assert_allclose(seen[5], given[5], atol=1e-6)


def test_a_moving_edge_is_never_far_behind() -> None:
    given = [disc(16, centre=20 + 1.5 * i) for i in range(16)]
    assert np.abs(followed(given, 0.9) - np.stack(given)).max() < 0.1


def test_a_steady_drift_is_followed_to_its_end() -> None:
    given = [disc(18 + 0.1 * i) for i in range(30)] + [disc(21)] * 20
    np.testing.assert_allclose(followed(given)[-1], disc(21), atol=1e-3)


def test_strength_zero_changes_nothing() -> None:
    given = [disc(20), disc(20.2), disc(19.9)]
    np.testing.assert_array_equal(followed(given, 0.0), np.stack(given))


def test_what_was_seen_long_before_or_of_another_track_does_not_count() -> None:
    steady, first, second = SteadyMasks(), disc(20), disc(20.3)
    steady.follow("a", 0, first, 0.6)
    np.testing.assert_array_equal(steady.follow("b", 1, second, 0.6), second)
    np.testing.assert_array_equal(steady.follow("a", 9, second, 0.6), second)
    assert not np.array_equal(steady.follow("a", 10, first, 0.6), first)


def test_steadied_masks_stay_between_the_two() -> None:
    now, before = disc(20.3), disc(20)
    mixed = steadied_mask(now, before, 0.6)
    assert (mixed >= np.minimum(now, before) - 1e-6).all()
    assert (mixed <= np.maximum(now, before) + 1e-6).all()
    assert masks.with_clean_support(mixed).dtype == np.float32
