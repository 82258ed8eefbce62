"""Figures of a conversion from a few runs of frames: quick enough to be part of every conversion."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from faceswap.evaluate.observe import Observation, Observer
from faceswap.evaluate.run import find_in_all, finder_of
from faceswap.evaluate.summary import FaceFigures, summarise
from faceswap.faces.base import Detector
from faceswap.faces.finder import FaceFinder
from faceswap.faces.index import FaceIndex
from faceswap.media.reader import VideoReader
from faceswap.progress import OnProgress, Progress, ignore_progress

RUN = 10
"""Frames that are looked at together: flicker, jitter and warping need neighbours."""
_FRAMES_PER_RUN = 300
"""Of a track, from which on it is looked at in one more place."""
_MAX_RUNS = 200


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    stop: int


def sampled_figures(
    before: VideoReader,
    after: VideoReader,
    index: FaceIndex,
    tracks: Set[int],
    detector: Detector,
    *,
    frames: tuple[int, int],
    on_progress: OnProgress = ignore_progress,
) -> tuple[list[FaceFigures], FaceFigures] | None:
    """Return figures of each swapped track and of all together; None when no run of frames can be looked at.

    Args:
        tracks: that were swapped. frames: of the input that the result holds, half-open; its first is the result's first.
    """
    places = plan_runs(index, tracks, frames)
    finder = finder_of(before.info, detector)
    rows: list[Observation] = []
    for number, run in enumerate(places, start=1):
        rows += _rows_of(before, after, index, tracks, finder, run, frames[0])
        on_progress(Progress("measure", number, len(places), unit="places"))
    return summarise(rows) if rows else None


def plan_runs(index: FaceIndex, tracks: Set[int], frames: tuple[int, int]) -> list[_Run]:
    """Return where to look: in the middle of each swapped track, in more places of long ones, never twice.

    Where there are more than 200 places, every n-th is taken.
    """
    ends: dict[int, tuple[int, int]] = {}
    for face in index.faces:
        if face.track in tracks and frames[0] <= face.frame < frames[1]:
            first, _ = ends.get(face.track, (face.frame, 0))
            ends[face.track] = (first, face.frame + 1)
    runs: list[_Run] = []
    for start, stop in sorted(ends.values()):
        count = 1 + (stop - start) // _FRAMES_PER_RUN
        for i in range(count):
            middle = start + (2 * i + 1) * (stop - start) // (2 * count)
            first = max(start, middle - RUN // 2)
            run = _Run(first, min(stop, first + RUN))
            if not runs or run.start >= runs[-1].stop:
                runs.append(run)
    return runs[:: -(-len(runs) // _MAX_RUNS)] if runs else []


def _rows_of(
    before: VideoReader,
    after: VideoReader,
    index: FaceIndex,
    tracks: Set[int],
    finder: FaceFinder,
    run: _Run,
    first_frame: int,
) -> Sequence[Observation]:
    table, observer, rows = index.frames, Observer(), []
    zero = Fraction(int(table.pts[first_frame])) * table.time_base
    time = Fraction(int(table.pts[run.start])) * table.time_base - zero
    count = run.stop - run.start
    pairs = zip(
        islice(before.frames_from(run.start, table), count),
        islice(after.frames_at(time, run.start), count),
        strict=False,
    )
    for old, new in pairs:
        faces = [face for face in index.faces_at(old.index) if face.track in tracks]
        for face, seen_old, seen_new in zip(faces, *find_in_all(finder, [old, new], faces), strict=True):
            row = observer.observe(old, new, face, index.shot_of(old.index), (seen_old, seen_new))
            rows += [row] if row is not None else []
    return rows
