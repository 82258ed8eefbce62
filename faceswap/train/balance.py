"""How often each face is drawn: rare poses and small clips oftener than their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.facesets.schema import FaceRecord

_BIN_DEGREES = 15.0
_MOST = 6.0
"""Times the median. A face of a pose that is there twice must not be learnt by heart."""


def balanced_weights(records: Sequence[FaceRecord], strength: float) -> NDArray[np.float64]:
    """Return how often each face is to be drawn, (N,) with mean 1.

    Args:
        strength: 0 = all alike, 1 = each pose, and each clip, as often as any other, as far as the limit allows.
            Faces whose pose was not measured count as one pose.
    """
    weights = np.ones(len(records))
    for keys in ([_pose_bin(record) for record in records], [record.clip for record in records]):
        weights *= _rarity(keys) ** strength
    weights = np.minimum(weights, _MOST * np.median(weights))
    return weights / weights.mean()


def _pose_bin(record: FaceRecord) -> tuple[int, int] | None:
    if record.figures is None or not np.isfinite([record.figures.yaw, record.figures.pitch]).all():
        return None
    return round(record.figures.yaw / _BIN_DEGREES), round(record.figures.pitch / _BIN_DEGREES)


def _rarity(keys: Sequence[Hashable]) -> NDArray[np.float64]:
    counts = Counter(keys)
    return np.array([len(keys) / counts[key] for key in keys])
