"""What a face detector is, for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceswap.types import FIVE


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face in one picture handed to a detector."""

    box: NDArray[np.float64]
    """(4,) x0, y0, x1, y1 in px of that picture."""
    score: float
    """[0, 1]"""
    landmarks: NDArray[np.float64]
    """(N, 2) px of that picture."""
    scheme: str = FIVE


class Detector(Protocol):
    """Finds faces in batches of equally large pictures."""

    name: str
    """Name and version, stored in the face index."""

    def detect(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        """Return the faces of each picture, best first.

        Args:
            pictures: (B, H, W, 3) uint8 RGB, upright; H and W multiples of 32.
        """
        ...


def non_maximum_suppression(boxes: NDArray, scores: NDArray, max_overlap: float) -> list[int]:
    """Return the indices of boxes to keep, best first: none overlaps a better one by more than `max_overlap` (IoU)."""
    order = np.argsort(-scores, kind="stable").tolist()
    kept: list[int] = []
    for candidate in order:
        if all(overlap(boxes[candidate], boxes[other]) <= max_overlap for other in kept):
            kept.append(candidate)
    return kept


def overlap(a: Sequence[float] | NDArray, b: Sequence[float] | NDArray) -> float:
    """Return the intersection over union of two xyxy boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))
