"""Five points of a mean face in a box, for detectors that give boxes only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHARES = np.array([[0.23, 0.40], [0.77, 0.40], [0.50, 0.60], [0.27, 0.745], [0.73, 0.745]])
"""Places in the box, as shares of its sides: medians over frontal faces of nine people."""


def points_in_boxes(boxes: NDArray) -> NDArray[np.float64]:
    """Return (n, 5, 2) points of upright faces that look into the camera.

    Args:
        boxes: (n, 4) x0, y0, x1, y1
    """
    corner, sides = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    return corner + _SHARES * sides
