"""A quantity over time as a small line plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.pages.page import svg

_WIDTH, _HEIGHT = 900, 120
_LEFT, _BOTTOM, _TOP = 44, 18, 8
_MAX_POINTS = 900


def timeline(
    title: str,
    times: NDArray,
    values: NDArray,
    good: tuple[float, float],
    shots: Sequence[float] = (),
    unit: str = "s",
) -> str:
    """Return an SVG of a quantity over time, its good range shaded, shot boundaries as lines.

    Args:
        times, values: (N,); NaN leaves a gap. good: both ends; infinite ends reach to the edge of the plot.
        shots: times (s) at which shots begin.
        unit: of `times`.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ""
    low, high = _range(finite, good)
    start, stop = float(times.min()), max(float(times.max()), float(times.min()) + 1e-6)

    def x(time: float) -> float:
        return _LEFT + (time - start) / (stop - start) * (_WIDTH - _LEFT - 4)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    top, bottom = (y(min(max(edge, low), high)) for edge in (good[1], good[0]))
    lines = [
        f'<rect class="good" x="{_LEFT}" y="{top:.1f}" width="{_WIDTH - _LEFT - 4}" height="{max(bottom - top, 1):.1f}"/>',
    ]
    lines += [
        f'<line class="cut" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>' for t in shots
    ]
    lines += [f'<path class="curve" d="{path}"/>' for path in _paths(times, values, x, y)]
    for value in (low, high):
        lines.append(f'<text x="{_LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    digits = 1 if unit == "s" else 0
    for time, anchor in ((start, "start"), (stop, "end")):
        lines.append(
            f'<text x="{x(time):.1f}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{time:.{digits}f} {unit}</text>'
        )
    return svg(f"{title} over time", (_HEIGHT, _WIDTH), lines)


def _range(values: NDArray, good: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the axis: nearly all values, and the finite ends of the good range."""
    ends = [*np.quantile(values, [0.005, 0.995]).tolist(), *(edge for edge in good if math.isfinite(edge))]
    low, high = min(ends), max(ends)
    room = max(0.06 * (high - low), 1e-3)
    return low - room if low else 0.0, high + room


def _paths(times: NDArray, values: NDArray, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    step = max(1, len(times) // _MAX_POINTS)
    paths: list[str] = []
    current: list[str] = []
    for time, value in zip(times[::step].tolist(), values[::step].tolist(), strict=True):
        if math.isfinite(value):
            current.append(f"{x(time):.1f},{y(value):.1f}")
        elif current:
            paths.append("M" + "L".join(current))
            current = []
    return [*paths, "M" + "L".join(current)] if current else paths
