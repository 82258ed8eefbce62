"""Chroma planes on other grids of samples: more or fewer of them, or at another place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceswap.geometry import SITINGS
from faceswap.types import ColorInfo, PlaneLayout, subsampled

Grid = tuple[tuple[int, int], str]
"""(chroma shift, siting): where chroma samples lie."""


def grid_of(layout: PlaneLayout, color: ColorInfo) -> Grid:
    """Return where chroma samples lie; the siting of directions that are not subsampled means nothing and is dropped."""
    x, y = SITINGS[color.siting]
    shift_y, shift_x = layout.chroma_shift
    for name, place in SITINGS.items():  # the first name with the same meaning here
        if (not shift_x or place[0] == x) and (not shift_y or place[1] == y):
            return layout.chroma_shift, name
    return layout.chroma_shift, color.siting


Taps = tuple[tuple[int, float], ...]
"""(offset from the phase's first source sample, weight)."""


def resample_chroma(plane: NDArray, grid: Grid, to_grid: Grid, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a chroma plane on another grid of samples; borders are replicated.

    More samples are interpolated linearly; fewer are means over as wide a stretch as one of them stands for.

    Args:
        size: (h, w) of the luma plane.
    """
    values = plane.astype(np.float32, copy=False)
    for axis, length in enumerate(subsampled(size, to_grid[0])):
        place, to_place = (SITINGS[g[1]][1 - axis] for g in (grid, to_grid))
        phases, stride = _phases(grid[0][axis], place, to_grid[0][axis], to_place)
        if phases != (((0, 1.0),),) or stride != 1:
            values = _resample_axis(values, axis, length, phases, stride)
    return values


@lru_cache(maxsize=64)
def _phases(shift: int, place: float, to_shift: int, to_place: float) -> tuple[tuple[Taps, ...], int]:
    """Return the filters of one direction, and how many source samples lie between two outputs of one phase.

    Args:
        shift, to_shift: log2 of the subsampling. place, to_place: siting in this direction, luma px per px covered.
    """
    step, to_step = 2**shift, 2**to_shift
    num_phases, stride = max(1, step // to_step), max(1, to_step // step)
    result = []
    for phase in range(num_phases):
        luma = (phase + 0.5) * to_step + to_place * (to_step - 1)
        centre = (luma - place * (step - 1)) / step  # continuous coordinate in the source plane
        result.append(_mean_taps(centre, stride) if stride > 1 else _linear_taps(centre))
    return tuple(result), stride


def _linear_taps(centre: float) -> Taps:
    low = int(np.floor(centre - 0.5))
    share = centre - 0.5 - low
    return tuple((low + i, weight) for i, weight in enumerate((1 - share, share)) if weight)


def _mean_taps(centre: float, width: int) -> Taps:
    low, high = centre - width / 2, centre + width / 2
    covered = [(i, min(i + 1, high) - max(i, low)) for i in range(int(np.floor(low)), int(np.ceil(high)))]
    return tuple((i, length / width) for i, length in covered if length > 0)


def _resample_axis(
    values: NDArray[np.float32], axis: int, length: int, phases: tuple[Taps, ...], stride: int
) -> NDArray[np.float32]:
    before = max(0, -min(offset for taps in phases for offset, _ in taps))
    num_each = -(-length // len(phases))
    after = max(
        0, max(offset for taps in phases for offset, _ in taps) + (num_each - 1) * stride + 1 - values.shape[axis]
    )
    padded = np.pad(values, [(before, after) if i == axis else (0, 0) for i in range(2)], mode="edge")
    shape = [length if i == axis else values.shape[i] for i in range(2)]
    result = np.empty(shape, dtype=np.float32)
    for phase, taps in enumerate(phases):
        target = result[_along(axis, phase, None, len(phases))]
        count = target.shape[axis]
        target[:] = sum(
            np.float32(weight)
            * padded[_along(axis, before + offset, before + offset + (count - 1) * stride + 1, stride)]
            for offset, weight in taps
        )
    return result


def _along(axis: int, start: int, stop: int | None, step: int) -> tuple[slice, ...]:
    chosen = slice(start, stop, step)
    return (chosen, slice(None)) if axis == 0 else (slice(None), chosen)
