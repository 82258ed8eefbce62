"""Where a head looks, from any landmark scheme."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.geometry import Similarity
from faceswap.schemes import NOSE_DEPTH, SCHEMES, anchors_of
from faceswap.types import Matrix

_VIEW_CENTRE = (0.45, 0.45)
"""How far below and behind the eyes the middle of a network's view lies, inter-ocular distances. Behind: with 0.45 two
landmarkers agree best on heads turned by 20 to 45 degrees (anchors: 5.8 % of the inter-ocular distance at 0, 4.2 %)."""


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
    (x_axis, y_axis), _, _ = _scaled_orthography(points, scheme)
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


def frame_from_network_view(landmarks: NDArray, scheme: str) -> Matrix:
    """Return where a network that looks at aligned faces should look: a similarity from the mean face to the frame.

    For faces that look into the camera it is `align.frame_from_canonical`. When a head turns, its eyes come closer to each
    other though it stays as large, and most of it comes to lie behind them: a crop by the eyes alone would cut it, and
    networks that place landmarks were trained on crops by the whole head's box. Compose it with the inverse of
    `FaceNetwork.patch_from_canonical` to get the view.

    Args:
        landmarks: (N, 2) px.
    """
    points = anchors_of(landmarks, scheme)
    axes, scale, middle = _scaled_orthography(points, scheme)
    # Seen from the side, the middle of what is to be seen lies behind the eyes.
    centre = points.mean(axis=0) + scale * axes @ (np.array([0, *_VIEW_CENTRE]) - middle)
    eyes = points[1] - points[0]
    angle = float(np.arctan2(eyes[1], eyes[0]))
    turned = geometry.from_similarity(Similarity(float(np.log(scale)), angle, 0, 0))
    turned[:, 2] = centre - turned[:, :2] @ [0, _VIEW_CENTRE[0]]
    return turned


def _scaled_orthography(points: NDArray, scheme: str) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Return the (2, 3) axes of the picture in the head's coordinates, px for an inter-ocular distance, and the (3,) middle
    of the anchors in those coordinates."""
    model = np.column_stack([SCHEMES[scheme].template, [0, 0, -NOSE_DEPTH, 0, 0]])
    middle = model.mean(axis=0)
    rows, *_ = np.linalg.lstsq(model - middle, points - points.mean(axis=0), rcond=None)
    left, scales, right = np.linalg.svd(rows.T, full_matrices=False)
    return left @ right, float(scales.mean()), middle
