"""What the networks that look at faces are, for everything else: one protocol each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceswap.types import FIVE, Matrix

_SAME_FACE = 0.5
"""IoU from which on two candidates tell of the same face and place."""


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
    appearance: NDArray[np.float32] | None = None
    """What the face looks like (`appearance.describe`), to be recognised some frames later; None = not looked at."""


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


class FaceNetwork(Protocol):
    """What all networks that look at one aligned face have in common: how they want to see it."""

    name: str
    """Name and version, stored beside what it found."""
    size: int
    """Side of the upright square picture it takes, px."""
    patch_from_canonical: Matrix
    """(2, 3) from template coordinates (inter-ocular units) to px of that picture."""


class Landmarker(FaceNetwork, Protocol):
    """Places the points of a scheme on aligned faces."""

    scheme: str
    """A key of `schemes.SCHEMES`."""

    def landmarks(self, patches: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
        """Return each face's (N, 2) points in px of its patch, and how sure the network is of them, [0, 1].

        Args:
            patches: (B, S, S, 3) uint8 RGB.
        """
        ...


class IdentityEncoder(FaceNetwork, Protocol):
    """Tells people apart."""

    sha256: str
    """Of its weights."""

    def embed(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (B, D) vectors of length 1; the cosine of two says how alike two faces are.

        Args:
            patches: (B, S, S, 3) uint8 RGB.
        """
        ...


class Segmenter(FaceNetwork, Protocol):
    """Says which pixels show the face itself, and not what is around or in front of it."""

    def segment(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (B, S, S) in [0, 1]; 1 = face.

        Args:
            patches: (B, S, S, 3) uint8 RGB.
        """
        ...


class FaceRestorer(FaceNetwork, Protocol):
    """Draws the fine detail that a soft or damaged picture of a face lacks."""

    def restore(self, pictures: NDArray[np.float32], faithfulness: float) -> NDArray[np.float32]:
        """Return (B, 3, nS, nS) RGB [0, 1], n a whole number.

        Args:
            pictures: (B, 3, S, S) RGB [0, 1]. faithfulness: [0, 1], for networks that let one choose: 1 = near to the picture.
        """
        ...


def non_maximum_suppression(boxes: NDArray, scores: NDArray, max_overlap: float) -> list[int]:
    """Return the indices of boxes to keep, best first: none overlaps a better one by more than `max_overlap` (IoU)."""
    return [best for best, _ in group_by_face(boxes, scores, max_overlap)]


def group_by_face(boxes: NDArray, scores: NDArray, max_overlap: float) -> list[tuple[int, list[int]]]:
    """Return, best first, the box of each face that is kept and all boxes that tell of the same face, itself included.

    None that is kept overlaps a better one by more than `max_overlap` (IoU). Detectors name a face once for each cell
    of their grid; which cell is best changes from frame to frame, and its box and points jump with it. The mean over
    the cells does not: it halves the jitter of CenterFace's points and costs nothing.
    """
    order = np.argsort(-scores, kind="stable").tolist()
    kept: list[tuple[int, list[int]]] = []
    for candidate in order:
        shares = [overlap(boxes[candidate], boxes[best]) for best, _ in kept]
        if all(share <= max_overlap for share in shares):
            kept.append((candidate, [candidate]))
        elif max(shares) >= _SAME_FACE:
            kept[int(np.argmax(shares))][1].append(candidate)
    return kept


def longer_side(box: NDArray) -> float:
    """Return the longer side of an xyxy box: the size of a face, in px of its picture."""
    return float((box[2:] - box[:2]).max())


def overlap(a: Sequence[float] | NDArray, b: Sequence[float] | NDArray) -> float:
    """Return the intersection over union of two xyxy boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))
