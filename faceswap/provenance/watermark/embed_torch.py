"""The watermark on tensors, for frames that are on a device: the same numbers as `embed`, but for a rare rounding by one step."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from faceswap.errors import ShapeError
from faceswap.provenance.watermark.embed import BLOCK, DARK, LIMITS, ORDINARY, STRENGTH, LumaMarker, units
from faceswap.provenance.watermark.pattern import scale_for, shift_at
from faceswap.provenance.watermark.payload import Payload
from faceswap.types import ColorInfo


class TensorMarker:
    """Marks luma planes on a device; the tile is copied there once."""

    def __init__(self, payload: Payload, device: torch.device | str) -> None:
        self._marker, self._device = LumaMarker(payload), device
        self._periods: dict[int, torch.Tensor] = {}

    def mark(self, luma: torch.Tensor, epoch: int, color: ColorInfo, alpha: torch.Tensor | None = None) -> torch.Tensor:
        """Return luma planes with the mark.

        Args:
            luma: (B, H, W) code values, uint8, int16, int32 or float32, on this device; all of one epoch.
            epoch: `embed.epoch_of` the frames.
            alpha: (B, H, W) [0, 1]: how strong, 0 = leave the sample as it is. None = 1 everywhere.

        Returns:
            New planes, same shape and dtype. Samples where `alpha` is 0 are bit-identical.

        Raises:
            ShapeError: other than three axes, or `alpha` of another shape.
        """
        if luma.ndim != 3 or (alpha is not None and alpha.shape != luma.shape):
            raise ShapeError(f"luma {tuple(luma.shape)} must be (B, H, W), and alpha the same")
        values = luma.float()
        step = self._pattern(luma.shape[1], luma.shape[2], epoch) * _strength(values, color)
        if alpha is not None:
            step = step * alpha
        marked = (values + step).round().clamp(0, 2**color.bit_depth - 1)
        return marked.to(luma.dtype)

    def _pattern(self, height: int, width: int, epoch: int) -> torch.Tensor:
        scale = scale_for((height, width))
        if scale not in self._periods:
            self._periods[scale] = torch.from_numpy(self._marker.period(scale)).to(self._device)
        period = self._periods[scale]
        y, x = (shift * scale for shift in shift_at(epoch))
        rows = (torch.arange(height, device=period.device) - y) % len(period)
        columns = (torch.arange(width, device=period.device) - x) % len(period)
        return period[rows[:, None], columns]


def _strength(luma: torch.Tensor, color: ColorInfo) -> torch.Tensor:
    """`embed.strength` of (B, H, W) float32 code values."""
    unit, black = units(color)
    height, width = luma.shape[1:]
    padded = F.pad(luma[:, None], (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    mean, square = (
        F.avg_pool2d(F.pad(F.avg_pool2d(values, BLOCK), (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        for values in (padded, padded * padded)
    )
    deviation = (square - mean * mean).clamp(min=0).sqrt()
    deviation = -F.max_pool2d(-deviation, 3, stride=1, padding=1)
    amount = (deviation / (ORDINARY * unit)).clamp(*LIMITS) * ((mean - black) / (DARK * unit)).clamp(0, 1)
    large = F.interpolate(STRENGTH * unit * amount, scale_factor=BLOCK, mode="bilinear", align_corners=False)
    return large[:, 0, :height, :width]
