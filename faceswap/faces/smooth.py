"""Smoothing a track's similarity transforms over time, forwards and backwards.

Rauch, Tung & Striebel 1965: a Kalman filter with a constant-velocity model, then a backward pass. Each of the four
numbers (log-scale, angle, x, y) is smoothed on its own; the detector's confidence sets how far it is trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Standard deviations in units of the inter-ocular distance (x, y), radians (angle) and log-scale.
_MEASUREMENT = np.array([0.015, 0.012, 0.016, 0.016])
_ACCELERATION = np.array([0.006, 0.007, 0.022, 0.022])
"""Change of velocity per frame that is usual; larger follows fast turns better and smooths less."""


def smooth_track(
    frames: NDArray[np.int64], parameters: NDArray[np.float64], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the smoothed parameters at the same frames.

    Args:
        frames: (N,) increasing frame numbers; gaps are allowed.
        parameters: (N, 4) log-scale, angle (radians, unwrapped by this function), x and y (px).
        scores: (N,) detector confidence (0, 1].

    Returns:
        (N, 4)
    """
    if len(frames) < 3:
        return parameters.copy()
    values = parameters.copy()
    values[:, 1] = np.unwrap(values[:, 1])
    iod = float(np.exp(np.median(values[:, 0])))  # the template's unit is the inter-ocular distance
    unit = np.array([1.0, 1.0, iod, iod])
    noise = (_MEASUREMENT * unit) ** 2 / np.clip(scores, 0.1, 1.0)[:, None] ** 2
    drive = (_ACCELERATION * unit) ** 2
    return np.stack([_smooth_one(frames, values[:, i], noise[:, i], drive[i]) for i in range(4)], axis=1)


def _smooth_one(frames: NDArray, values: NDArray, noise: NDArray, drive: float) -> NDArray:
    count = len(values)
    states, covariances = np.zeros((count, 2)), np.zeros((count, 2, 2))
    predicted, predicted_covariances = states.copy(), covariances.copy()
    transitions = np.zeros((count, 2, 2))
    # Nothing is known of the first velocity; a tight guess would lag behind faces that move when a shot begins.
    state, covariance = np.array([values[0], 0.0]), np.diag([noise[0], 1e3 * drive])
    for i in range(count):
        step = float(frames[i] - frames[i - 1]) if i else 0.0
        transition = np.array([[1.0, step], [0.0, 1.0]])
        process = drive * np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
        state = transition @ state
        covariance = transition @ covariance @ transition.T + process
        transitions[i], predicted[i], predicted_covariances[i] = transition, state, covariance
        gain = covariance[:, 0] / (covariance[0, 0] + noise[i])
        state = state + gain * (values[i] - state[0])
        covariance = covariance - np.outer(gain, covariance[0])
        states[i], covariances[i] = state, covariance
    for i in range(count - 2, -1, -1):
        back = covariances[i] @ transitions[i + 1].T @ np.linalg.inv(predicted_covariances[i + 1])
        states[i] += back @ (states[i + 1] - predicted[i + 1])
    return states[:, 0]
