"""A frontal face of 68 points in template coordinates, drawn from nothing but its proportions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _ellipse(x: float, y: float, width: float, height: float, angles: NDArray) -> NDArray[np.float64]:
    turn = np.radians(angles)
    return np.stack([x + width * np.cos(turn), y - height * np.sin(turn)], axis=1)


def dense_face(mouth_open: float = 0.0) -> NDArray[np.float64]:
    """Return the (68, 2) points of the IBUG68 scheme; its eyes, nose tip and mouth corners are the scheme's template.

    Args:
        mouth_open: distance of the lips, inter-ocular distances.
    """
    jaw = _ellipse(0, 0, 1.25, 2.0, np.linspace(180, 360, 17))
    brows = [
        np.stack([x + np.linspace(-0.3, 0.3, 5), np.array([-0.36, -0.44, -0.47, -0.44, -0.38])], 1)
        for x in (-0.58, 0.58)
    ]
    bridge = np.stack([np.zeros(4), np.linspace(0.0, 0.629, 4)], axis=1)
    nostrils = np.stack([np.linspace(-0.25, 0.25, 5), np.array([0.78, 0.8, 0.82, 0.8, 0.78])], axis=1)
    eyes = [_ellipse(x, -0.001, 0.25, 0.1, np.array([180, 120, 60, 0, -60, -120])) for x in (-0.55, 0.55)]
    half, y = 0.4685, 1.1915
    angles = np.array([180, 150, 120, 90, 60, 30, 0, -30, -60, -90, -120, -150])
    outer = _ellipse(0, y, half, 0.12, angles)
    inner = _ellipse(0, y, 0.35, 0.02, np.array([180, 120, 90, 60, 0, -60, -90, -120]))
    for lips in (outer, inner):
        lips[lips[:, 1] > y + 1e-9, 1] += mouth_open
    return np.concatenate([jaw, *brows, bridge, nostrils, *eyes, outer, inner])
