"""How many faces look where, and how values are spread: one side or two, each in its own colour (`--source`, `--target`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceswap.pages.page import captioned, svg

_YAW_EDGES = np.arange(-97.5, 98, 15.0)
_PITCH_EDGES = np.arange(-67.5, 68, 15.0)
_CELL = 26
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 330, 120, 34, 18


def pose_map(yaw: NDArray[np.float64], pitch: NDArray[np.float64], role: str) -> str:
    """Return how many faces look where: yaw across, pitch down (degrees); the number of faces in each cell."""
    counts = np.histogram2d(pitch, yaw, bins=(_PITCH_EDGES, _YAW_EDGES))[0].astype(int)
    rows, columns = counts.shape
    width, height = _LEFT + columns * _CELL, rows * _CELL + 2 * _BOTTOM
    parts = []
    for (row, column), count in np.ndenumerate(counts):
        x, y = _LEFT + column * _CELL, row * _CELL
        share = np.log1p(count) / np.log1p(max(counts.max(), 1))
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="var(--{role})" '
            f'fill-opacity="{0.05 + 0.75 * share:.2f}"/>'
        )
        if count:
            parts.append(f'<text x="{x + _CELL / 2}" y="{y + 17}" text-anchor="middle" class="count">{count}</text>')
    for i, middle in enumerate((_YAW_EDGES[:-1] + _YAW_EDGES[1:]) / 2):
        x = _LEFT + (i + 0.5) * _CELL
        parts.append(f'<text x="{x}" y="{rows * _CELL + 12}" text-anchor="middle">{middle:.0f}</text>')
    for i, middle in enumerate((_PITCH_EDGES[:-1] + _PITCH_EDGES[1:]) / 2):
        parts.append(f'<text x="{_LEFT - 4}" y="{i * _CELL + 17}" text-anchor="end">{middle:.0f}</text>')
    parts.append(
        f'<text x="{width / 2}" y="{height - 4}" text-anchor="middle">yaw: to the right →, pitch: down ↓</text>'
    )
    return captioned(f"{role}: where the faces look", svg(role, (height, width), parts), kind="plot")


def histogram(title: str, sides: Mapping[str, NDArray[np.float64]], *, num_bins: int = 28) -> str:
    """Return the shares of values of one or two facesets in the same bins, each scaled by its own number of faces."""
    everything = np.concatenate(list(sides.values()))
    low, high = np.percentile(everything, [0.5, 99.5])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, num_bins + 1)
    shares = {role: np.histogram(np.clip(v, low, high), edges)[0] / max(len(v), 1) for role, v in sides.items()}
    top = max(float(share.max()) for share in shares.values()) or 1.0
    step = (_WIDTH - _LEFT) / num_bins
    parts = []
    for role, share in shares.items():
        points = [f"{_LEFT},{_HEIGHT}"]
        for i, value in enumerate(share):
            y = _HEIGHT - (_HEIGHT - 8) * value / top
            points += [f"{_LEFT + i * step:.1f},{y:.1f}", f"{_LEFT + (i + 1) * step:.1f},{y:.1f}"]
        points.append(f"{_WIDTH},{_HEIGHT}")
        parts.append(
            f'<polygon points="{" ".join(points)}" fill="var(--{role})" fill-opacity="0.3" stroke="var(--{role})"/>'
        )
    parts.append(f'<text x="{_LEFT - 4}" y="14" text-anchor="end">{top:.0%}</text>')
    for place, anchor, value in (
        (_LEFT, "start", low),
        ((_LEFT + _WIDTH) / 2, "middle", (low + high) / 2),
        (_WIDTH, "end", high),
    ):
        parts.append(f'<text x="{place}" y="{_HEIGHT + 14}" text-anchor="{anchor}">{value:.3g}</text>')
    return captioned(title, svg(title, (_HEIGHT + _BOTTOM, _WIDTH), parts), kind="plot")
