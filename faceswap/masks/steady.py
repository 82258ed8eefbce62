"""Masks that do not flicker: small changes along a track are averaged out, large ones are followed at once.

Networks draw the edge of a face a little differently in every frame. Such noise moves a soft edge by a fraction of its width; a
hand, an opening mouth or a turning head changes it by much more. So how far a place follows the new mask depends on how much
its neighbourhood changed, and nothing that can be seen to move lags behind.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

NOISE, CHANGE = 0.10, 0.30
"""Changes of the mask up to which it is averaged, and from which on it is followed at once."""
NEAR = 0.06
"""Side of the neighbourhood whose largest change counts, in sides of the patch."""
MAX_GAP = 2
"""Frames after which what was seen says nothing of now."""


class _Last(NamedTuple):
    frame: int
    mask: NDArray[np.float32]


class SteadyMasks:
    """Keeps the mask of each track; a face's result depends on the masks given before it."""

    def __init__(self) -> None:
        self._last: dict[Hashable, _Last] = {}

    def follow(self, key: Hashable, frame: int, mask: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
        """Return the mask, steadied by those before it; those of a track come in the order of their frames.

        Args:
            key: the track. mask: (1, S, S) [0, 1] with its soft edge. strength: as for `steadied_mask`.
        """
        last = self._last.get(key)
        if last is not None and 0 <= frame - last.frame <= MAX_GAP and last.mask.shape == mask.shape:
            mask = steadied_mask(mask, last.mask, strength)
        self._last[key] = _Last(frame, mask)
        return mask


def steadied_mask(now: NDArray[np.float32], before: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    """Return the mask of now, near to the one before where it hardly changed.

    Args:
        now, before: (1, S, S) [0, 1]. before: as this function gave it.
        strength: share of what was before where hardly anything changed, [0, 1).
    """
    change = np.abs(now[0] - before[0])
    reach = max(1, round(NEAR * now.shape[-1] / 2))
    largest = cv2.blur(cv2.dilate(change, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), (2 * reach + 1,) * 2)
    stays = np.float32(strength) * np.clip((CHANGE - largest) / (CHANGE - NOISE), 0, 1)
    return now + stays * (before - now)
