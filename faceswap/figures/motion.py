"""Steadiness: landmarks over time, and pictures carried along by the input's own motion."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SMOOTH = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_MAX_ROUND_TRIP_PX = 1.0
"""Forward and backward flow that disagree by more mark a place that was hidden."""


def jitter(points: NDArray, own: NDArray) -> float:
    """Return how much points shake (px): the deviation of their second difference once the input's own motion is out.

    Args:
        points: (T, N, 2) px; own: (T, N, 2) the input's points, whose five-frame binomial mean is the motion. T >= 7.
    """
    if len(points) < 7:
        return 0.0
    motion = np.apply_along_axis(lambda series: np.convolve(series, _SMOOTH, mode="valid"), 0, own)
    rest = points[2:-2] - motion
    return float(np.sqrt(np.square(np.diff(rest, n=2, axis=0)).sum(axis=-1).mean()))


def landmark_error(before: NDArray, after: NDArray, iod: NDArray) -> float:
    """Return the mean distance of landmarks, result against input, in inter-ocular distances (NME).

    Args:
        before, after: (T, N, 2) px. iod: (T,) px.
    """
    return float((np.linalg.norm(after - before, axis=-1).mean(axis=1) / iod).mean())


def correlation(a: NDArray, b: NDArray) -> float:
    """Return Pearson's r of two series; 1 when neither moves, NaN when one of them does not.

    Args:
        a, b: (T,)
    """
    a, b = a - a.mean(), b - b.mean()
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if max(norms) < 1e-9:
        return 1.0
    return float(np.clip(a @ b / (norms[0] * norms[1]), -1, 1)) if min(norms) > 1e-9 else float("nan")


def opening(luma: NDArray, box: tuple[slice, slice]) -> float:
    """Return how much horizontal edge a place shows: it grows when an eye or a mouth opens.

    A stand-in for the aperture where no dense landmarks are at hand; only its correlation over time means something.

    Args:
        luma: (S, S) float32 of an aligned patch. box: rows and columns of the eye or mouth.
    """
    part = luma[box]
    return float(np.abs(np.diff(part, axis=0)).mean() / max(float(part.mean()), 1e-3))


def flow_between(earlier: NDArray, later: NDArray) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return for each pixel of `later` where it was in `earlier`, and which pixels can be trusted.

    DIS optical flow (Kroeger et al. 2016) in both directions; what does not come back to where it started was hidden.

    Args:
        earlier, later: (h, w) uint8.

    Returns:
        (h, w, 2) float32 places (x, y) as OpenCV counts them, (h, w) bool.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    back = flow.calc(later, earlier, None)
    forth = flow.calc(earlier, later, None)
    y, x = np.mgrid[: later.shape[0], : later.shape[1]].astype(np.float32)
    places = np.dstack([x, y]) + back
    returned = cv2.remap(forth, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return places, np.linalg.norm(back + returned, axis=-1) <= _MAX_ROUND_TRIP_PX


def warping_error(earlier: NDArray, later: NDArray, places: NDArray, weight: NDArray) -> float:
    """Return the mean absolute difference between a picture and the one before it, carried along by a flow.

    The paired warping error is this figure of the result over that of the input, both along the flow of the *input*:
    an absolute figure would reward blur. At most 1.05 is good.

    Args:
        earlier, later: (h, w) float32. places: see `flow_between`. weight: (h, w) [0, 1], 0 where the flow is not trusted.
    """
    total = float(weight.sum())
    if total <= 0:
        return float("nan")
    carried = cv2.remap(earlier, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float((np.abs(later - carried) * weight).sum() / total)
