"""How faces are found and placed, as one thing that is handed on: a detector, and a landmarker if one was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.base import Detection, Detector, Landmarker
from faceswap.faces.refine import method_name


@dataclass(slots=True)
class FaceMethod:
    """A `Detector` that brings along who looks a second time; `analyse` lets it.

    Everything that takes a detector takes this, and face indexes are kept under its name: other networks, another index.
    """

    detector: Detector
    landmarker: Landmarker | None = None
    refine: int = 1
    """The points are the mean over so many crops of each face."""
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = method_name(self.detector.name, self.landmarker.name if self.landmarker else None, self.refine)

    def detect(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        """See `Detector.detect`: with the detector's own points."""
        return self.detector.detect(pictures)
