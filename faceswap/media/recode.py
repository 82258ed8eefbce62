"""Frames in another range than they were decoded in, for streams that have no place for the source's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.types import ColorInfo, Frame


def planes_in_range(frame: Frame, color: ColorInfo) -> Sequence[NDArray]:
    """Return the planes of a YUV frame as `color.full_range` wants them; the very same ones when they already are so.

    Alpha planes use the whole range of codes either way.
    """
    if color.full_range == frame.color.full_range:
        return frame.planes
    top = 2**frame.color.bit_depth - 1
    step = 2 ** (frame.color.bit_depth - 8)
    dtype = frame.planes[0].dtype
    planes = []
    for i, plane in enumerate(frame.planes[:3]):
        full_zero, studio_zero, studio_span = (128 * step, 128 * step, 224 * step) if i else (0, 16 * step, 219 * step)
        codes = np.arange(top + 1, dtype=np.float64)
        if color.full_range:
            table = (codes - studio_zero) * (top / studio_span) + full_zero
        else:
            table = (codes - full_zero) * (studio_span / top) + studio_zero
        planes.append(np.rint(table).clip(0, top).astype(dtype)[plane])
    return (*planes, *frame.planes[3:])
