from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.faces.smooth import smooth_track

IOD = 60.0
NOISE = np.array([0.015, 0.012, 0.016 * IOD, 0.016 * IOD])
"""What detectors show: log-scale, radians, px."""


def path(count: int) -> NDArray[np.float64]:
    """Return a head that turns and walks: smooth, with changing speed."""
    t = np.arange(count) / 25
    return np.stack(
        [np.log(IOD) + 0.1 * np.sin(t), 0.1 * np.sin(1.3 * t), 300 + 60 * np.sin(1.5 * t), 200 + 20 * np.cos(2 * t)],
        axis=1,
    )


def noisy(truth: NDArray, seed: int = 0) -> NDArray[np.float64]:
    return truth + np.random.default_rng(seed).normal(size=truth.shape) * NOISE


def smoothed(values: NDArray, frames: NDArray | None = None, scores: NDArray | None = None) -> NDArray:
    frames = np.arange(len(values)) if frames is None else frames
    return smooth_track(frames, values, np.ones(len(values)) if scores is None else scores)


def jitter(values: NDArray) -> NDArray:
    return np.abs(np.diff(values, n=2, axis=0)).mean(axis=0)


def test_error_and_jitter_of_a_noisy_path_fall() -> None:
    truth = path(200)
    measured = noisy(truth)
    result = smoothed(measured)
    error_before, error_after = (np.sqrt(((v - truth) ** 2).mean(axis=0)) for v in (measured, result))
    assert (error_after < 0.8 * error_before).all()
    assert (jitter(result) < 0.4 * jitter(measured)).all()


def test_constant_velocity_has_no_lag() -> None:
    t = np.arange(60.0)
    truth = np.stack([np.full(60, np.log(IOD)), 0.01 * t, 100 + 9 * t, 50 - 4 * t], axis=1)
    np.testing.assert_allclose(smoothed(truth), truth, atol=0.1)  # px; the first frames after a cut count too


def test_noise_does_not_shift_the_path() -> None:
    truth = path(400)
    bias = (smoothed(noisy(truth)) - truth).mean(axis=0)
    assert (np.abs(bias) < 0.2 * NOISE).all()


def test_path_backwards_is_smoothed_alike() -> None:
    measured = noisy(path(80))
    np.testing.assert_allclose(smoothed(measured[::-1])[::-1][10:-10], smoothed(measured)[10:-10], atol=0.05)


def test_uncertain_detections_are_trusted_less() -> None:
    still = np.tile([np.log(IOD), 0.0, 300.0, 200.0], (21, 1))
    outlier = still.copy()
    outlier[10, 2] += 10
    low = np.ones(21)
    low[10] = 0.2
    sure, unsure = smoothed(outlier)[10, 2] - 300, smoothed(outlier, scores=low)[10, 2] - 300
    assert unsure < 0.3 * sure


def test_gaps_in_the_frames_are_taken_into_account() -> None:
    frames = np.array([0, 1, 2, 3, 10, 11, 12, 13])
    truth = np.stack([np.full(8, np.log(IOD)), np.zeros(8), 100 + 5.0 * frames, np.full(8, 50.0)], axis=1)
    np.testing.assert_allclose(smoothed(truth, frames)[2:-2], truth[2:-2], atol=0.5)


def test_angles_across_half_a_turn_are_not_averaged_away() -> None:
    measured = np.tile([np.log(IOD), 0.0, 300.0, 200.0], (20, 1))
    measured[:, 1] = np.where(np.arange(20) % 2, np.pi - 0.01, -np.pi + 0.01)
    assert np.cos(smoothed(measured)[:, 1]).max() < -0.99


@pytest.mark.parametrize("count", [1, 2])
def test_short_tracks_stay_as_they_are(count: int) -> None:
    measured = noisy(path(count))
    np.testing.assert_array_equal(smoothed(measured), measured)


def test_input_is_not_changed() -> None:
    measured = noisy(path(10))
    before = measured.copy()
    smoothed(measured)
    np.testing.assert_array_equal(measured, before)


def fast_turn(count: int = 80) -> NDArray[np.float64]:
    """Return a head that rests, turns by 1.5 inter-ocular distances within 8 frames, and rests again."""
    t = np.clip((np.arange(count) - 36) / 8, 0, 1)
    ease = t * t * (3 - 2 * t)
    still = np.ones(count)
    return np.stack([np.log(IOD) * still, 0.35 * ease, 300 + 1.5 * IOD * ease, 200 * still], axis=1)


def test_fast_turn_is_followed_without_lag() -> None:
    truth = fast_turn()
    errors = np.array([smoothed(noisy(truth, seed)) - truth for seed in range(12)]) / [1, 1, IOD, IOD]
    turning = slice(34, 46)
    assert np.abs(errors[:, turning, 2].mean(axis=0)).max() < 0.035  # of the eyes' distance; 0.28 is a frame of lag
    assert np.sqrt((errors[:, turning] ** 2).mean(axis=(0, 1)))[1:3].max() < 0.03
    speed = np.diff(truth[:, 2])
    found = np.mean([np.diff(smoothed(noisy(truth, seed))[:, 2]) for seed in range(12)], axis=0)
    lags = np.arange(-3, 3.1, 0.1)
    t = np.arange(len(speed))
    misfit = [((np.interp(t - lag, t, speed) - found) ** 2).sum() for lag in lags]
    assert lags[int(np.argmin(misfit))] == pytest.approx(0, abs=0.15)


def test_rest_beside_a_fast_turn_stays_calm() -> None:
    measured = noisy(fast_turn())
    assert (jitter(smoothed(measured)[:28]) < 0.35 * jitter(measured[:28])).all()


def test_single_wild_measurements_are_passed_over() -> None:
    truth = path(100)
    measured = noisy(truth)
    wild = measured.copy()
    wild[[20, 50, 77]] += [0.3, 0.4, 0.5 * IOD, -0.4 * IOD]
    moved = np.abs(smoothed(wild) - smoothed(measured)) / [1, 1, IOD, IOD]
    assert moved.max() < 0.04


def test_calm_detector_is_trusted_more() -> None:
    truth = fast_turn()
    calm = truth + (noisy(truth) - truth) / 5
    assert np.abs(smoothed(calm) - truth)[:, 2].max() < 0.05 * IOD


def test_every_frame_of_a_short_track_counts() -> None:
    measured = noisy(path(4))
    assert smoothed(measured).shape == (4, 4)
    assert np.isfinite(smoothed(measured)).all()
