"""Filling in the figures of a faceset's crops: what is missing is measured, in portions that survive a stop."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import InterruptedRunError
from faceswap.facesets.figures import measure
from faceswap.facesets.schema import FaceRecord, Figures
from faceswap.facesets.store import FaceSet
from faceswap.interrupt import stop_on_signal
from faceswap.media.pictures import read_picture_bgr
from faceswap.progress import OnProgress, Progress, ignore_progress

_PORTION = 256
"""Crops whose figures are kept together."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What `measure_faceset` did."""

    num_measured: int
    """By this call."""
    unreadable: tuple[str, ...]
    """Crops that are missing or damaged."""


def measure_faceset(
    faceset: FaceSet, *, everything: bool = False, on_progress: OnProgress = ignore_progress
) -> Measured:
    """Measure the crops that have no figures yet, dropped ones too.

    Args:
        everything: measure all anew.

    Raises:
        InterruptedRunError: stopped by a signal; what was measured is kept.
    """
    records = [r for r in faceset.records(with_dropped=True) if everything or r.figures is None]
    unreadable: list[str] = []
    num_done = 0
    with stop_on_signal() as stop, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(records), _PORTION):
            portion = records[start : start + _PORTION]
            found: dict[str, Figures] = {}
            for record, figures in zip(portion, pool.map(lambda r: _figures(faceset, r), portion), strict=True):
                num_done += 1
                on_progress(Progress("measure", num_done, len(records), unit="faces"))
                if figures is None:
                    unreadable.append(record.file)
                else:
                    found[record.file] = figures
            faceset.set_figures(found)
            if stop:
                raise InterruptedRunError(
                    f"stopped after measuring {num_done} of {len(records)} crops of {faceset.path}, which are kept; "
                    "repeat the command to go on",
                    stop.signal_number,
                )
    return Measured(len(records) - len(unreadable), tuple(unreadable))


def measured_records(
    faceset: FaceSet, *, with_dropped: bool = False, on_progress: OnProgress = ignore_progress
) -> list[FaceRecord]:
    """Return the records that have figures, after measuring what was missing."""
    measure_faceset(faceset, on_progress=on_progress)
    return [record for record in faceset.records(with_dropped=with_dropped) if record.figures is not None]


def read_crop(faceset: FaceSet, record: FaceRecord) -> NDArray[np.uint8] | None:
    """Return a crop as (S, S, 3) uint8 RGB; None when it is missing, damaged or of another size."""
    path = faceset.path / record.file
    bgr = read_picture_bgr(path) if path.is_file() else None
    if bgr is None or bgr.shape[:2] != (faceset.crop.size, faceset.crop.size):
        return None
    return np.ascontiguousarray(bgr[:, :, ::-1])


def _figures(faceset: FaceSet, record: FaceRecord) -> Figures | None:
    rgb = read_crop(faceset, record)
    return None if rgb is None else measure(rgb, record, faceset.crop)
