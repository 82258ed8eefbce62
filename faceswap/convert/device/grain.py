"""`convert.grain` for a batch of faces on a device: what the footage's grain is, and noise like it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceswap import color
from faceswap.convert import grain as reference
from faceswap.convert.device.filters import gaussian
from faceswap.convert.device.planes import DevicePlanes, to_device
from faceswap.convert.device.running import RunningMeans
from faceswap.figures import detail
from faceswap.types import ColorInfo

_ROOM = 9
"""Samples beyond a window that its filters read: 8 of the blur, 1 of the slope."""
_SCHARR = torch.tensor([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]])


def measure(planes: DevicePlanes, frames: Sequence[int], windows: Sequence[tuple[int, int, int, int]]) -> Tensor:
    """Return (B, 2) float64: the noise of each window at full and at half resolution, as luma [0, 1]; NaN = too small to tell.

    Args:
        frames: which picture each window is in. windows: x0, y0, x1, y1 (`grain.window_of`).
    """
    device = planes.device
    start = np.array([window[:2] for window in windows])
    size = np.array([window[2:] for window in windows]) - start
    is_known = (size >= reference.MIN_WINDOW).all(axis=1)
    size = np.where(is_known[:, None], size, 2 * reference.MIN_WINDOW)
    start = np.where(is_known[:, None], start, 0)
    columns, rows = (to_device(start[:, axis, None] + _mirrored(size[:, axis]), device) for axis in (0, 1))
    (height, width), _ = planes.sizes()
    picture = to_device(np.array(frames), device)
    luma = planes.planes[0][
        picture[:, None, None], rows.clamp(max=height - 1)[:, :, None], columns.clamp(max=width - 1)[:, None]
    ]
    wide = luma.float()
    inner = wide[:, _ROOM : _ROOM + int(size[:, 1].max()), _ROOM : _ROOM + int(size[:, 0].max())]
    half = _halved(inner, size, device)
    small = size // 2
    half_columns, half_rows = (to_device(_mirrored(small[:, axis]), device) for axis in (0, 1))
    each = torch.arange(len(windows), device=device)[:, None, None]
    half = half[each, half_rows[:, :, None], half_columns[:, None]]
    found = torch.stack([_noise(wide, size), _noise(half, small)], dim=1)
    scale = float(color.code_scale(planes.color).linear[0, 0])
    return torch.where(to_device(is_known, device)[:, None], found / scale, torch.nan)


def _mirrored(length: np.ndarray) -> np.ndarray:
    """Return (B, n) indices: those of each window with `_ROOM` around it, mirrored about its outermost samples."""
    i = np.arange(-_ROOM, int(length.max()) + _ROOM)[None]
    last = length[:, None] - 1
    return last - np.abs(last - np.abs(i) % (2 * last))


def _halved(windows: Tensor, size: np.ndarray, device: torch.device) -> Tensor:
    """Return (B, h, w) windows area-filtered to half their own size, rounded down."""
    for axis in (1, 0):
        length = to_device(size[:, axis], device).double()[:, None, None]
        n = windows.shape[1]
        ratio = length / (length / 2).floor()
        low = torch.arange(n // 2, device=device)[None, :, None] * ratio
        i = torch.arange(n, device=device)
        overlap = torch.minimum(low + ratio, i + 1) - torch.maximum(low, i)
        windows = ((overlap.clamp(min=0) / ratio).float() @ windows).mT
    return windows


def _noise(wide: Tensor, size: np.ndarray) -> Tensor:
    """Return the (B,) deviations of the noise in windows with room around them: `figures.detail.grain`.

    Args:
        wide: (B, h + 2 room, w + 2 room). size: (B, 2) w, h of each window.
    """
    device = wide.device
    width, height = (int(n) for n in size.max(axis=0))
    wide = wide[:, None, : height + 2 * _ROOM, : width + 2 * _ROOM]
    laplacian = torch.from_numpy(detail.LAPLACIAN).to(device)
    inside = slice(_ROOM - 1, 1 - _ROOM)
    answer = F.conv2d(wide[..., inside, inside], laplacian.view(1, 1, 3, 3)).abs().flatten(1)
    blur = gaussian(detail.SLOPE_SIGMA, device)
    soft = F.conv2d(F.conv2d(wide, blur.view(1, 1, -1, 1)), blur.view(1, 1, 1, -1))
    scharr = _SCHARR.to(device)
    slope = torch.hypot(F.conv2d(soft, scharr.view(1, 1, 3, 3)), F.conv2d(soft, scharr.T.reshape(1, 1, 3, 3))).flatten(
        1
    )
    limits = to_device(size, device)
    is_inside = torch.arange(width, device=device) < limits[:, 0, None, None]
    is_inside = (is_inside & (torch.arange(height, device=device)[:, None] < limits[:, 1, None, None])).flatten(1)
    # The median: as windows have an area that the host knows, so have its two places.
    at = to_device((size.prod(axis=1) - 1) * detail.SMOOTH_SHARE, device)[:, None]
    ordered = torch.where(is_inside, slope, torch.inf).sort(dim=1).values
    low, high = ordered.gather(1, at.floor().long()), ordered.gather(1, at.ceil().long())
    is_smooth = is_inside & (slope <= low + (at - at.floor()).float() * (high - low))
    smooth = torch.where(is_smooth, answer, torch.inf).sort(dim=1).values
    count = (detail.TRIM * is_smooth.sum(dim=1)).floor().clamp(min=1)
    is_taken = torch.arange(smooth.shape[1], device=device) < count[:, None]
    return torch.where(is_taken, smooth, 0).double().sum(dim=1) / count / detail.TRIMMED_TO_SIGMA / 6


class DeviceGrainMatcher:
    """Keeps the grain of each track on the device: `grain.GrainMatcher`."""

    def __init__(self, device: torch.device) -> None:
        self._means = RunningMeans[Hashable](reference.FOLLOW, device)
        self._tiles = torch.from_numpy(np.stack(reference.tiles())).to(device)
        system = [
            [1.0, reference.COARSE_AT_FULL**2],
            [reference.FINE_AT_HALF**2, reference.COARSE_AT_HALF**2],
        ]
        self._solution = torch.from_numpy(np.linalg.inv(system)).to(device)

    def strengths(self, keys: Sequence[Hashable], seen: Tensor, is_wanted: Tensor) -> Tensor:
        """Return (B, 2) float32: deviations of white and of blurred noise to lay over each face, as luma [0, 1]; 0 = none.

        Args:
            keys: (shot, track) of each face, in frame order. seen: (B, 2) from `measure`. is_wanted: (B,) bool.
        """
        is_valid = is_wanted & seen.isfinite().all(dim=1)
        state, has_any = self._means.follow(keys, torch.where(is_valid[:, None], seen.square(), 0), is_valid)
        is_seen = is_wanted & has_any & (state[:, 0] >= reference.UNSEEN**2)
        coarse = torch.minimum(state[:, 1], reference.MAX_COARSE**2 * state[:, 0])
        solved = torch.stack([state[:, 0], coarse], dim=1) @ self._solution.T
        return torch.where(is_seen[:, None], solved.clamp(min=0).sqrt(), 0).float()

    def noise(self, strengths: Tensor, seeds: Sequence[int], size: tuple[int, int], info: ColorInfo) -> Tensor:
        """Return (B, h, w) float32 code values of luma: `Grain.codes` for each face.

        Args:
            strengths: (B, 2) as above. seeds: of each face (`grain.seed_of`). size: (h, w).
        """
        device = strengths.device
        starts = to_device(np.stack([reference.tile_starts(seed) for seed in seeds]), device)
        rows, columns = (torch.arange(n, device=device) for n in size)
        total = torch.zeros((len(seeds), *size), dtype=torch.float32, device=device)
        for i, tile in enumerate(self._tiles):
            y = (starts[:, i, 0, None] + rows) % reference.TILE
            x = (starts[:, i, 1, None] + columns) % reference.TILE
            total += strengths[:, i, None, None] * tile[y[:, :, None], x[:, None]]
        return total * float(color.code_scale(info).linear[0, 0])
