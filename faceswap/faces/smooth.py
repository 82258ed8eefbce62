"""Smoothing a track's similarity transforms over time, forwards and backwards.

Rauch, Tung & Striebel 1965: a Kalman filter with a constant-velocity model, then a backward pass: no lag, as it sees the
future too. Each of the four numbers (log-scale, angle, x, y) is smoothed on its own; the detector's confidence sets how far
it is trusted. After each of a few passes the residuals say more: one that stands alone is an outlier and loses weight
(Student's t); neighbours that agree with each other show a turn that was taken too smoothly, and the path is set free there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Standard deviations in units of the inter-ocular distance (x, y), radians (angle) and log-scale.
_MEASUREMENT = np.array([0.015, 0.012, 0.016, 0.016])
_ACCELERATION = np.array([0.003, 0.0035, 0.009, 0.009])
"""Change of velocity per frame that is usual; larger follows fast turns better and smooths less."""
_LEVELS = (0.35, 1.5)
"""How much less or more noise than usual a track may have; measured on the track itself."""
_PASSES = 4
_OUTLIER = 3.0
"""Standard deviations by which a measurement must leave the median of five to lose weight."""
_LAG = 1.0
"""Standard deviations that three neighbours must all be off, to one side, for the path to be set free."""
_FREEDOM = 2.0
"""By what the usual change of velocity then grows, in each pass."""


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
    trust = np.clip(scores, 0.1, 1.0)
    columns = [
        _smooth_one(frames, values[:, i], _MEASUREMENT[i] * unit[i] / trust, _ACCELERATION[i] * unit[i])
        for i in range(4)
    ]
    return np.stack(columns, axis=1)


def _smooth_one(frames: NDArray, values: NDArray, sigma: NDArray, acceleration: float) -> NDArray[np.float64]:
    """Return one smoothed number; `sigma` is the usual error of each measurement."""
    sigma = sigma * _noise_level(frames, values, sigma)
    weights, drive = np.ones(len(values)), np.full(len(values), acceleration**2)
    smoothed = values
    for number in range(_PASSES):
        smoothed = _filtered(frames, values, sigma**2 / weights, drive)
        if number == _PASSES - 1:
            break
        residuals = (values - smoothed) / sigma
        beside = np.lib.stride_tricks.sliding_window_view(np.pad(residuals, 2, mode="reflect"), 5)
        alone = np.abs(residuals - np.median(beside, axis=1))
        weights = np.where(alone > _OUTLIER, (_OUTLIER / np.maximum(alone, _OUTLIER)) ** 2, 1.0)
        lag = np.abs(np.median(beside[:, 1:4], axis=1)) > _LAG
        near = np.convolve(lag, np.ones(5))[2:-2] > 0
        drive = np.where(near, drive * _FREEDOM**2, drive)
    return smoothed


def _noise_level(frames: NDArray, values: NDArray, sigma: NDArray) -> float:
    """Return the track's noise in units of the usual: third differences leave hardly anything of a head's motion."""
    if len(values) < 12:
        return 1.0
    steps = np.diff(frames)
    even = (steps[:-2] == steps[1:-1]) & (steps[1:-1] == steps[2:])
    third = np.diff(values, n=3)[even] / sigma[3:][even]
    if len(third) < 8:
        return 1.0
    # of white noise of deviation 1: median of the absolute third difference is 0.6745 * sqrt(20)
    return float(np.clip(np.median(np.abs(third)) / (0.6745 * 20**0.5), *_LEVELS))


def _filtered(frames: NDArray, values: NDArray, noise: NDArray, drive: NDArray) -> NDArray[np.float64]:
    """Return the mean of the position at each frame, given all measurements.

    Args:
        noise: (N,) variance of each measurement. drive: (N,) variance of the change of velocity per frame around it.
    """
    # Written out in floats: arrays of two by two cost ten times as much.
    steps = np.diff(frames, prepend=frames[0]).astype(float).tolist()
    drive = np.maximum(drive, np.concatenate([drive[:1], drive[:-1]]))  # of the step that leads to each frame
    rows = list(zip(steps, values.tolist(), noise.tolist(), drive.tolist(), strict=True))
    x, v = rows[0][1], 0.0
    # Nothing is known of the first velocity; a tight guess would lag behind faces that move when a shot begins.
    pxx, pxv, pvv = rows[0][2], 0.0, 1e3 * max(row[3] for row in rows)
    kept = []
    for t, z, r, q in rows:
        x += t * v
        pxx += t * (2 * pxv + t * pvv) + q * t**3 / 3
        pxv += t * pvv + q * t**2 / 2
        pvv += q * t
        predicted = (x, v, pxx, pxv, pvv)
        gain_x, gain_v = pxx / (pxx + r), pxv / (pxx + r)
        x, v, innovation = x + gain_x * (z - x), v + gain_v * (z - x), pxv
        pxx, pxv, pvv = (1 - gain_x) * pxx, (1 - gain_x) * pxv, pvv - gain_v * innovation
        kept.append((predicted, (x, v, pxx, pxv, pvv), t))
    result = [x]
    for (_, (fx, fv, fxx, fxv, fvv), _), ((px, pv, axx, axv, avv), _, t) in zip(
        reversed(kept[:-1]), reversed(kept[1:]), strict=True
    ):
        det = axx * avv - axv * axv
        # C = P F' inv(predicted P)
        cxx, cxv, cvv = fxx + t * fxv, fxv, fvv
        cvx = fxv + t * fvv
        x, v = (
            fx + ((cxx * avv - cxv * axv) * (x - px) + (cxv * axx - cxx * axv) * (v - pv)) / det,
            fv + ((cvx * avv - cvv * axv) * (x - px) + (cvv * axx - cvx * axv) * (v - pv)) / det,
        )
        result.append(x)
    return np.array(result[::-1])
