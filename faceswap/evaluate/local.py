"""Figures that need neighbours, at each frame: what the timelines show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.evaluate.observe import Observation, Pair

Series = Callable[[Sequence[Observation]], NDArray[np.float64]]


def _quotient(pair: Pair) -> float:
    return pair.after / pair.before if pair.before > 1e-9 else float("nan")


def _flicker(rows: Sequence[Observation]) -> NDArray[np.float64]:
    cast = np.stack([row.lab_after - row.lab_before for row in rows])
    return _second_difference(rows, cast) / np.sqrt(6)


def _jitter(rows: Sequence[Observation]) -> NDArray[np.float64]:
    nothing = np.full((5, 2), np.nan)
    offset = np.stack(
        [
            (row.points_after - row.points_before) / row.iod_px * 100
            if row.points_after is not None and row.points_before is not None
            else nothing
            for row in rows
        ]
    )
    return _second_difference(rows, offset.reshape(len(rows), -1)) / np.sqrt(5)


def _second_difference(rows: Sequence[Observation], values: NDArray) -> NDArray[np.float64]:
    result = np.full(len(rows), np.nan)
    frames = np.array([row.frame for row in rows])
    if len(rows) >= 3:
        is_run = (frames[2:] - frames[:-2] == 2) & (
            np.array([r.track for r in rows[2:]]) == [r.track for r in rows[:-2]]
        )
        result[1:-1] = np.where(is_run, np.linalg.norm(np.diff(values, n=2, axis=0), axis=1), np.nan)
    return result


TIMELINES: dict[str, tuple[str, tuple[float, float], Series]] = {
    "seam_step": ("seam step, dE2000", (0, 1), lambda rows: np.array([row.step for row in rows])),
    "seam_gradient": ("seam gradient ratio", (0.9, 1.1), lambda rows: np.array([_quotient(row.edge) for row in rows])),
    "sharpness": ("sharpness of the skin", (0.9, 1.1), lambda rows: np.array([_quotient(row.skin) for row in rows])),
    "warping": ("paired warping error", (0, 1.05), lambda rows: np.array([_quotient(row.warp) for row in rows])),
    "flicker": ("flicker: sudden changes of the cast, Lab units", (0, 0.5), _flicker),
    "jitter": (
        "jitter: sudden moves of the landmarks beyond the input's, % of the inter-ocular distance",
        (0, 4),
        _jitter,
    ),
}
"""By name: title, good range at a single frame, values."""
