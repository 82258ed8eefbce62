from __future__ import annotations

import numpy as np
import pytest

from faceswap import geometry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.pose import frame_from_network_view, pose_of
from faceswap.schemes import FIVE, NOSE_DEPTH, SCHEMES


def seen(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The mean face turned by these degrees, seen from far away, at some place and size."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn_yaw = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    turn_pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn_roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    face = np.column_stack([SCHEMES[FIVE].template, [0, 0, -NOSE_DEPTH, 0, 0]])
    return 90 * (face @ (turn_roll @ turn_yaw @ turn_pitch).T)[:, :2] + [300, 200]


@pytest.mark.parametrize("yaw", [-60, -20, 0, 35])
@pytest.mark.parametrize("pitch", [-25, 0, 20])
@pytest.mark.parametrize("roll", [-90, 0, 15, 170])
def test_pose_of_a_turned_mean_face_is_found(yaw: float, pitch: float, roll: float) -> None:
    pose = pose_of(seen(yaw, pitch, roll), FIVE)
    assert pose.yaw == pytest.approx(yaw, abs=7)
    assert pose.pitch == pytest.approx(pitch, abs=7)


def test_signs_are_those_of_the_picture() -> None:
    looking_right, looking_down = SCHEMES[FIVE].template.copy(), SCHEMES[FIVE].template.copy()
    looking_right[2, 0] += 0.2
    looking_down[2, 1] += 0.2
    assert pose_of(looking_right, FIVE).yaw > 10
    assert pose_of(looking_down, FIVE).pitch > 10
    assert pose_of(seen(0, 0, 30), FIVE).roll == pytest.approx(30, abs=1)


@pytest.mark.parametrize("roll", [0, 20, 180])
def test_networks_look_at_frontal_faces_as_crops_do(roll: float) -> None:
    points = seen(0, 0, roll)
    view, crop = frame_from_network_view(points, FIVE), frame_from_canonical(points, FIVE)
    np.testing.assert_allclose(view, crop, atol=1)  # the template is not quite symmetrical


@pytest.mark.parametrize("yaw", [-60, -30, 30, 60])
@pytest.mark.parametrize("roll", [0, 30])
def test_a_turned_head_stays_as_large_and_whole_in_a_networks_view(yaw: float, roll: float) -> None:
    points = seen(yaw, 0, roll)
    view = frame_from_network_view(points, FIVE)
    assert geometry.scale_of(view) == pytest.approx(90, rel=0.03)
    # The head lies on the side from which it looks away.
    between_eyes = points[:2].mean(axis=0)
    way = (geometry.apply(view, np.zeros((1, 2)))[0] - between_eyes) @ [
        np.cos(np.radians(roll)),
        np.sin(np.radians(roll)),
    ]
    assert np.sign(way) == -np.sign(yaw)
