"""What a frame shows of the footage's grain: noise in the middle of a face, at three scales.

Coarse grain looks like the texture of skin to a single frame. Two frames tell them apart: texture comes along with the face,
grain does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color, geometry, resample
from faceswap.figures.detail import noise_answer, noise_levels
from faceswap.types import Face, Frame, Matrix

NUM_LEVELS = 3
"""Full resolution, half and a quarter."""
_WINDOW = 48
"""Half the side, px, of the window in which grain is looked at."""
_WINDOW_SHARE = 0.22
"""The same in sides of the face box: skin between eyes and mouth."""
_MIN_SIDE = 12
UNSEEN = 0.6 / 255
"""Noise (at full or half resolution) that nobody sees, twice what rounding leaves."""
_REACH = (0, 2, 1)
"""px of each level by which the carried window may still be off."""
_MIN_ALIGNED = 0.75
"""Correlation of what is larger than grain, from which on two windows show the same place."""


@dataclass(frozen=True, slots=True, eq=False)
class GrainSeen:
    """The noise of one face in one frame."""

    frame: int
    levels: NDArray[np.float64]
    """(planes, 3) deviations at full, half and a quarter of the resolution, luma [0, 1]; NaN = too small to tell. Planes are luma
    and both of chroma, or the first of RGB."""
    window: NDArray[np.float32]
    """(h, w) luma [0, 1]."""
    window_from_face: Matrix | None
    """(2, 3) from the face's canonical coordinates; None = unknown."""
    chroma_shift: tuple[int, int]

    @property
    def is_visible(self) -> bool:
        """False when luma has less noise than can be seen, whatever it is."""
        return bool(np.any(self.levels[0, :2] >= UNSEEN))

    @property
    def fine(self) -> float:
        """Luma noise at full resolution; 0 = too small to tell."""
        return float(self.levels[0, 0]) if np.isfinite(self.levels[0, 0]) else 0.0


def look(frame: Frame, face: Face) -> GrainSeen:
    """Return what a frame shows of the grain of a face."""
    scale = np.float32(color.code_scale(frame.color).linear[0, 0])
    shift = frame.layout.chroma_shift
    shifts = ((0, 0),) if frame.layout.is_rgb else ((0, 0), shift, shift)
    levels = np.full((len(shifts), NUM_LEVELS), np.nan)
    windows = []
    for i, (plane, (shift_x, shift_y)) in enumerate(zip(frame.planes, shifts, strict=False)):
        rows, columns = _window(face, plane.shape, (2.0**-shift_x, 2.0**-shift_y))
        windows.append(plane[rows, columns].astype(np.float32) / scale)
        if min(windows[-1].shape) >= _MIN_SIDE:
            levels[i] = _levels(windows[-1], is_brief=i > 0)
        if not i:
            to_window = geometry.translation(-columns.start, -rows.start)
    place = None if face.frame_from_canonical is None else geometry.compose(to_window, face.frame_from_canonical)
    return GrainSeen(frame.index, levels, windows[0], place, shift)


def _levels(window: NDArray[np.float32], *, is_brief: bool) -> NDArray[np.float64]:
    """Return the (3,) noise of a window.

    Args:
        is_brief: where there is too little to be seen, an upper bound will do.
    """
    if is_brief:
        planes = (window, _halved(window))
        bounds = [cv2.norm(noise_answer(plane)) / 6 / np.sqrt(plane.size) for plane in planes]
        if max(bounds) < UNSEEN:
            return np.array([*bounds, bounds[1]])
    return noise_levels(window, np.ones(window.shape, dtype=bool), NUM_LEVELS)


def _window(face: Face, size: tuple[int, ...], scale: tuple[float, float]) -> tuple[slice, slice]:
    """Return rows and columns of the middle of a face in a plane of `size`, `scale` (x, y) of its px for one of luma."""
    middle = face.box.reshape(2, 2).mean(axis=0)
    half = min(_WINDOW, int(_WINDOW_SHARE * float((face.box[2:] - face.box[:2]).max())))
    (x0, x1), (y0, y1) = (
        (min(max(0, int((m - half) * s)), limit), min(max(0, int((m + half) * s)), limit))
        for m, s, limit in zip(middle, scale, size[1::-1], strict=True)
    )
    return slice(y0, y1), slice(x0, x1)


def shared_texture(earlier: GrainSeen, later: GrainSeen) -> NDArray[np.float64] | None:
    """Return which share of each level's luma energy is texture, as (3,) [0, 1]: it is there in the earlier frame too.

    None when the windows do not show the same place for sure, or when there is nothing to be told apart. At full resolution
    everything counts as noise: a tenth of a px would tell texture for grain there anyway, and what is so fine is not told from
    grain by the eye either.
    """
    if earlier.window_from_face is None or later.window_from_face is None or abs(later.frame - earlier.frame) > 1:
        return None
    if min(earlier.window.shape + later.window.shape) < 4 * _MIN_SIDE or not later.is_visible:
        return None
    later_from_earlier = geometry.compose(later.window_from_face, geometry.invert(earlier.window_from_face))
    carried = resample.warp(earlier.window, later_from_earlier, later.window.shape, is_smooth=True)
    pairs = [(carried, later.window)]
    for _ in range(1, NUM_LEVELS):
        pairs.append((_halved(pairs[-1][0]), _halved(pairs[-1][1])))
    if not _shows_the_same(*pairs[-1]):
        return None
    return np.array([0.0, *(_common(*pair, reach) for pair, reach in zip(pairs[1:], _REACH[1:], strict=True))])


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _shows_the_same(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Return whether what is larger than grain is the same in two planes."""
    bands = [cv2.GaussianBlur(plane, (0, 0), 2.0) - cv2.GaussianBlur(plane, (0, 0), 6.0) for plane in (a, b)]
    product = float((bands[0] * bands[1]).sum())
    return product > _MIN_ALIGNED * float(np.sqrt(np.square(bands[0]).sum() * np.square(bands[1]).sum()))


def _common(carried: NDArray[np.float32], own: NDArray[np.float32], reach: int) -> float:
    """Return the share of the energy of fine detail that two planes have in common, at the best of some small moves."""
    answers = [noise_answer(plane) for plane in (carried, own)]
    bound = 3 * float(np.median(np.abs(answers[1]))) / 0.6745  # nostrils and lashes would speak for all
    a, b = (np.clip(answer, -bound, bound) for answer in answers)
    inner = b[reach:-reach, reach:-reach]
    energy = float(np.square(inner).sum())
    if energy <= 0:
        return 0.0
    return float(np.clip(cv2.matchTemplate(a, inner, cv2.TM_CCORR).max() / energy, 0, 1))
