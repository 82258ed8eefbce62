"""From observations of frames to figures of shots."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faceswap.evaluate.observe import Observation, Pair
from faceswap.evaluate.table import FIGURES, Verdict, judged
from faceswap.figures import motion, tone

_NUM_WORST = 3
_APART_SECONDS = 0.4
"""The three worst frames are not neighbours."""


@dataclass(frozen=True, slots=True)
class FaceFigures:
    """Figures of one track, or of several together."""

    name: str
    shot: int
    """-1 = the whole clip."""
    track: int
    """-1 = all."""
    frames: tuple[int, int]
    """First and last."""
    num_frames: int
    values: dict[str, float]
    """By key of `table.FIGURES`; NaN = could not be measured."""
    verdict: Verdict
    worst: tuple[int, ...]
    """Up to three frames."""


def figures_of(rows: Sequence[Observation]) -> dict[str, float]:
    """Return the figures of one track's observations, in the order of frames."""
    values = {
        "seam_gradient": _ratio([row.edge for row in rows]),
        "seam_step": _median([row.step for row in rows]),
        "skin_match": tone.skin_match(_stack(rows, "lab_before"), _stack(rows, "lab_after")),
        "skin_drift": tone.skin_drift(_stack(rows, "lab_before"), _stack(rows, "lab_after")),
        "sharpness_skin": _ratio([row.skin for row in rows]),
        "sharpness_eyes": _ratio([row.eyes for row in rows]),
        "sharpness_mouth": _ratio([row.mouth for row in rows]),
        "grain": _median([row.grain for row in rows]),
        "grain_size": _median([row.grain_size for row in rows]),
        "warping": _ratio([row.warp for row in rows]),
        "flicker": _over_runs(rows, lambda run: tone.flicker(_stack(run, "lab_before"), _stack(run, "lab_after"))),
        "eye_motion": _series_correlation([row.eye_opening for row in rows]),
        "mouth_motion": _series_correlation([row.mouth_opening for row in rows]),
    }
    values["crop_jitter"] = _over_runs(rows, lambda run: _crop_jitter(_stack(run, "crop")))
    return {**values, **_landmark_figures(rows)}


def _crop_jitter(points: NDArray) -> float:
    """Return how much the place of the crop shakes about its own motion, px."""
    return motion.jitter(points, points)


def _landmark_figures(rows: Sequence[Observation]) -> dict[str, float]:
    seen = [row for row in rows if row.points_before is not None]
    both = [row for row in seen if row.points_after is not None]
    missed = 100 * (1 - len(both) / len(seen)) if seen else float("nan")
    if not both:
        nothing = dict.fromkeys(("jitter", "jitter_px", "landmark_error", "pose_error"), float("nan"))
        return {**nothing, "missed": missed}
    before, after = _stack(both, "points_before"), _stack(both, "points_after")
    iod = np.array([row.iod_px for row in both])
    old = _over_runs(both, lambda run: motion.jitter(_stack(run, "points_before"), _stack(run, "points_before")))
    new = _over_runs(both, lambda run: motion.jitter(_stack(run, "points_after"), _stack(run, "points_before")))
    return {
        "jitter": new / old if old > 1e-6 else (1.0 if new <= 1e-6 else float("inf")),
        "jitter_px": new,
        "landmark_error": 100 * motion.landmark_error(before, after, iod),
        "pose_error": float(np.mean([row.turn_degrees for row in both])),
        "missed": missed,
    }


def summarise(rows: Sequence[Observation]) -> tuple[list[FaceFigures], FaceFigures]:
    """Return the figures of each track, by shot, and of all together (means weighted by frames)."""
    tracks: dict[tuple[int, int], list[Observation]] = defaultdict(list)
    for row in rows:
        tracks[(row.shot, row.track)].append(row)
    parts = []
    for (shot, track), of_track in sorted(tracks.items()):
        values = figures_of(of_track)
        name = f"shot {shot + 1}, track {track}"
        frames = (of_track[0].frame, of_track[-1].frame)
        worst = worst_frames(of_track)
        parts.append(FaceFigures(name, shot, track, frames, len(of_track), values, judged(values), worst))
    return parts, whole_of(parts, rows)


def whole_of(parts: Sequence[FaceFigures], rows: Sequence[Observation]) -> FaceFigures:
    """Return the figures of a clip: the mean of its tracks' figures, weighted by their frames."""
    values = {}
    for key in parts[0].values:
        known = [part for part in parts if np.isfinite(part.values[key])]
        weights = [part.num_frames for part in known]
        values[key] = (
            float(np.average([part.values[key] for part in known], weights=weights)) if known else float("nan")
        )
        if not known and any(np.isinf(part.values[key]) for part in parts):
            values[key] = float("inf")
    frames = (min(part.frames[0] for part in parts), max(part.frames[1] for part in parts))
    num_frames = sum(part.num_frames for part in parts)
    return FaceFigures("whole clip", -1, -1, frames, num_frames, values, judged(values), worst_frames(rows))


def frame_figures(row: Observation) -> dict[str, float]:
    """Return those figures that one frame has by itself."""
    return {
        "seam_gradient": _ratio([row.edge]),
        "seam_step": row.step,
        "skin_match": tone.skin_match(row.lab_before[None], row.lab_after[None]),
        "sharpness_skin": _ratio([row.skin]),
        "sharpness_eyes": _ratio([row.eyes]),
        "sharpness_mouth": _ratio([row.mouth]),
        "grain": row.grain,
        "warping": _ratio([row.warp]),
    }


def worst_frames(rows: Sequence[Observation]) -> tuple[int, ...]:
    """Return the frames whose own figures are furthest from good, the worst first, not next to each other."""
    badness = [(sum(FIGURES[k].badness(v) for k, v in frame_figures(row).items()), row) for row in rows]
    chosen: list[Observation] = []
    for score, row in sorted(badness, key=lambda pair: -pair[0]):
        if score > 0 and all(abs(row.seconds - other.seconds) >= _APART_SECONDS for other in chosen):
            chosen.append(row)
        if len(chosen) == _NUM_WORST:
            break
    return tuple(row.frame for row in chosen)


def _stack(rows: Sequence[Observation], name: str) -> NDArray[np.float64]:
    return np.stack([getattr(row, name) for row in rows])


def _ratio(pairs: Sequence[Pair]) -> float:
    """Return the ratio of means over the frames in which both sides are known."""
    values = np.array([pair for pair in pairs if np.isfinite(pair).all()])
    if not len(values):
        return float("nan")
    before, after = values.mean(axis=0)
    return float(after / before) if before > 1e-9 else (1.0 if after <= 1e-9 else float("inf"))


def _median(values: Sequence[float]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: the result is NaN, which is meant
        return float(np.nanmedian(values))


def _series_correlation(pairs: Sequence[Pair]) -> float:
    if len(pairs) < 8:
        return float("nan")
    before, after = np.array(pairs).T
    return motion.correlation(before, after)


def _over_runs(rows: Sequence[Observation], figure: Callable[[Sequence[Observation]], float]) -> float:
    """Return the mean of a figure over runs of consecutive frames, weighted by length."""
    runs: list[list[Observation]] = [[rows[0]]]
    for before, after in pairwise(rows):
        if after.frame == before.frame + 1:
            runs[-1].append(after)
        else:
            runs.append([after])
    long = [run for run in runs if len(run) >= 8]
    if not long:
        return 0.0
    return float(np.average([figure(run) for run in long], weights=[len(run) for run in long]))
