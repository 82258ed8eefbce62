"""How faces are found and placed, as one thing that is handed on: a detector, and a landmarker if one was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UsageError
from faceswap.faces.base import Detection, Detector, Landmarker
from faceswap.faces.viewer import JITTER


@dataclass(slots=True)
class FaceMethod:
    """A `Detector` that brings along who looks a second time, and how often; `analyse` lets it.

    Everything that takes a detector takes this, and face indexes are kept under its name: other networks, another index.
    """

    detector: Detector
    landmarker: Landmarker | None = None
    refine: int = 1
    """The points are the mean over so many crops of each face."""
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """Raises:
        UsageError: a number of crops that is not possible.
        """
        if not 1 <= self.refine <= len(JITTER):
            raise UsageError(
                f"--refine {self.refine} is not possible; allowed: 1 (one crop of each face) to {len(JITTER)}"
            )
        self.name = method_name(self.detector.name, self.landmarker.name if self.landmarker else None, self.refine)

    def detect(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        """See `Detector.detect`: with the detector's own points."""
        return self.detector.detect(pictures)


def method_name(detector: str, landmarker: str | None = None, refine: int = 1) -> str:
    """Return how faces are found and placed, in one word that is stored in the face index: other words, another index.

    Args:
        detector, landmarker: `name` of each network. refine: number of crops whose points are averaged.
    """
    return "+".join([detector, *([landmarker] if landmarker else []), *([f"refine{refine}"] if refine > 1 else [])])
