"""Where a head looks, from any landmark scheme."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap.schemes import NOSE_DEPTH, SCHEMES, anchors_of


class Pose(NamedTuple):
    """Turn of a head against the camera, degrees."""

    yaw: float
    """Positive: the upright head looks to the right of the picture."""
    pitch: float
    """Positive: it looks down."""
    roll: float
    """Positive: the head leans to the right of the picture (clockwise)."""


def pose_of(landmarks: NDArray, scheme: str) -> Pose:
    """Return the pose that explains a face's anchors best under scaled orthography.

    POS (DeMenthon & Davis 1995): a linear fit of two rows of a scaled rotation to the mean face in 3D, then the nearest
    true rotation. From five points it is good for sorting (a few degrees of bias for each person), not for animation.

    Args:
        landmarks: (N, 2) px, of any orientation.
    """
    points = anchors_of(landmarks, scheme)
    template = SCHEMES[scheme].template
    model = np.column_stack([template, [0, 0, -NOSE_DEPTH, 0, 0]])
    rows, *_ = np.linalg.lstsq(model - model.mean(axis=0), points - points.mean(axis=0), rcond=None)
    left, _, right = np.linalg.svd(rows.T, full_matrices=False)
    x_axis, y_axis = left @ right
    # The face looks along -z: depth grows away from the camera. Rows are the picture's axes in the head's coordinates.
    gaze = -np.array([x_axis[2], y_axis[2], np.cross(x_axis, y_axis)[2]])
    eyes = points[1] - points[0]
    roll = np.arctan2(eyes[1], eyes[0])
    # As if the head stood upright: lying on its side it still looks to its own left and right.
    sideways, down = gaze[:2] @ [[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]
    return Pose(
        yaw=float(np.degrees(np.arctan2(sideways, -gaze[2]))),
        pitch=float(np.degrees(np.arcsin(np.clip(down, -1, 1)))),
        roll=float(np.degrees(roll)),
    )
