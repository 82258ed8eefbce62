"""Occluders over a generated face: what covers it is known to the px."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from dense_faces import dense_face
from numpy.typing import NDArray

from faceswap import geometry, masks
from faceswap.masks.occlusion import OcclusionModel
from faceswap.schemes import FIVE, IBUG68, SCHEMES
from faceswap.types import CropSpec

CROP = CropSpec(128, "whole_face")
FRONTAL = SCHEMES[FIVE].template
HULL = masks.face_hull(FRONTAL, CROP)
SKIN = np.array([0.72, 0.52, 0.42])
MATRIX = geometry.patch_from_canonical(CROP)


def px(x: float, y: float) -> tuple[int, int]:
    ((u, v),) = geometry.apply(MATRIX, np.array([[x, y]]))
    return round(u), round(v)


def face(frame: int, *, mouth: float = 0.0, light: float = 1.0, side_light: float = 0.0) -> NDArray[np.float32]:
    """Return a (3, S, S) face with brows, eyes and a mouth, moving a little and with grain."""
    picture = np.empty((128, 128, 3), dtype=np.float32)
    picture[:] = SKIN
    shade = np.linspace(1.05, 0.9, 128)[:, None, None]
    picture *= shade
    sway = 0.02 * np.sin(frame / 5)
    for x in (-0.5, 0.5):
        cv2.ellipse(picture, px(x + sway, 0), (9, 4), 0, 0, 360, (0.25, 0.2, 0.18), -1, cv2.LINE_AA)
        cv2.line(picture, px(x - 0.3 + sway, -0.42), px(x + 0.3 + sway, -0.42), (0.3, 0.22, 0.18), 4, cv2.LINE_AA)
    cv2.ellipse(picture, px(sway, 0.62), (7, 3), 0, 0, 360, (0.5, 0.33, 0.27), -1, cv2.LINE_AA)
    open_px = round(3 + 30 * mouth)
    cv2.ellipse(picture, px(sway, 1.16 + mouth / 3), (15, open_px), 0, 0, 360, (0.6, 0.25, 0.25), -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    picture *= light * (1 + side_light * np.linspace(-1, 1, 128)[None, :, None])
    picture += np.random.default_rng(frame).normal(0, 0.006, picture.shape)
    return np.clip(picture, 0, 1).astype(np.float32).transpose(2, 0, 1)


def ball(x: float, y: float, radius: float) -> NDArray[np.float32]:
    shape = np.zeros((128, 128), dtype=np.float32)
    cv2.circle(shape, px(x, y), round(radius * geometry.scale_of(MATRIX)), 1.0, -1, cv2.LINE_AA)
    return shape


def covered(picture: NDArray[np.float32], shape: NDArray[np.float32], color: tuple[float, ...]) -> NDArray[np.float32]:
    return picture * (1 - shape) + shape * np.array(color, dtype=np.float32)[:, None, None]


def look(model: OcclusionModel, picture: NDArray, swapped: NDArray, key: tuple[int, int] = (0, 0)) -> NDArray:
    return model.visible(key, picture, swapped, HULL, CROP, FRONTAL, FIVE)


def learnt(frames: int = 40, **over: float) -> OcclusionModel:
    model = OcclusionModel()
    for frame in range(frames):
        look(model, face(frame, **over), face(frame, **over))
    return model


@pytest.mark.parametrize("color", [(0.06, 0.06, 0.07), (0.1, 0.3, 0.6), (0.95, 0.95, 0.95)])
@pytest.mark.parametrize("place", [(-0.6, 0.7), (0.3, 1.5), (0.0, -0.7)])
def test_things_before_the_face_are_found(color: tuple[float, ...], place: tuple[float, float]) -> None:
    model, shape = learnt(), ball(*place, 0.35)
    for frame in range(40, 44):
        visible = look(model, covered(face(frame), shape, color), face(frame))
    hidden, truth = (1 - visible[0]) * HULL[0], shape * HULL[0]
    assert np.minimum(hidden, truth).sum() > 0.85 * truth.sum()
    assert np.maximum(0, hidden - cv2.dilate(truth, np.ones((9, 9)))).sum() < 0.01 * HULL.sum()


def test_dark_strands_of_hair_are_found() -> None:
    model = learnt()
    shape = np.zeros((128, 128), dtype=np.float32)
    for i in range(5):
        cv2.line(shape, px(-0.95 + 0.1 * i, -0.9), px(-0.75 + 0.1 * i, 0.9), 1.0, 2, cv2.LINE_AA)
    for frame in range(40, 44):
        visible = look(model, covered(face(frame), shape, (0.12, 0.09, 0.07)), face(frame))
    hidden, truth = (1 - visible[0]) * HULL[0], shape * HULL[0]
    assert np.minimum(hidden, truth).sum() > 0.7 * truth.sum()


@pytest.mark.parametrize(
    "change",
    [{}, {"light": 0.6}, {"light": 1.25}, {"side_light": 0.35}, {"mouth": 0.25}],
    ids=["grain", "dimmer", "brighter", "lamp from the side", "open mouth"],
)
def test_faces_in_other_light_and_with_open_mouths_stay_whole(change: dict[str, float]) -> None:
    model = learnt()
    for frame in range(40, 46):
        visible = look(model, face(frame, **change), face(frame, **change))
        assert ((1 - visible) * HULL).sum() < 0.02 * HULL.sum()


def test_result_is_soft_in_range_and_of_the_patchs_size() -> None:
    model = learnt()
    visible = look(model, covered(face(40), ball(0.5, 0.7, 0.4), (0.05, 0.05, 0.05)), face(40))
    assert visible.shape == (1, 128, 128)
    assert visible.dtype == np.float32
    assert 0 <= visible.min() < 0.5
    assert visible.max() <= 1
    assert ((visible > 0.05) & (visible < 0.95)).any()


def test_occluder_is_not_learnt_while_it_stays_and_the_face_is_whole_when_it_goes() -> None:
    model, shape = learnt(), ball(-0.6, 0.7, 0.35)
    for frame in range(40, 100):
        visible = look(model, covered(face(frame), shape, (0.06, 0.06, 0.07)), face(frame))
    assert ((1 - visible[0]) * shape).sum() > 0.85 * shape.sum()
    for frame in range(100, 108):
        visible = look(model, face(frame), face(frame))
    assert ((1 - visible) * HULL).sum() < 0.02 * HULL.sum()


def test_a_steady_occluder_does_not_flicker() -> None:
    model, shape = learnt(), ball(-0.6, 0.7, 0.35)
    results = [look(model, covered(face(frame), shape, (0.06, 0.06, 0.07)), face(frame)) for frame in range(40, 60)]
    changes = [np.abs(a - b).sum() / shape.sum() for a, b in pairwise(results[5:])]
    assert max(changes) < 0.1


def test_tracks_do_not_see_each_other() -> None:
    alone, shared = learnt(), learnt()
    for frame in range(10):
        look(shared, covered(face(frame), ball(0, 0.5, 1.0), (0, 0, 1)), face(frame), key=(0, 1))
    picture = covered(face(40), ball(0.3, 1.5, 0.3), (0.05, 0.05, 0.05))
    np.testing.assert_array_equal(look(alone, picture, face(40)), look(shared, picture, face(40)))


def test_first_face_of_a_track_is_whole_but_for_colours_no_skin_has() -> None:
    plain = look(OcclusionModel(), face(0), face(0))
    assert (plain == 1).all()
    sheet = ball(0.0, 1.3, 0.6)
    visible = look(OcclusionModel(), covered(face(0), sheet, (0.2, 0.6, 0.9)), face(0))
    assert ((1 - visible[0]) * sheet * HULL[0]).sum() > 0.4 * (sheet * HULL[0]).sum()


def test_same_faces_give_the_same_result() -> None:
    picture = covered(face(40), ball(0.3, 1.5, 0.3), (0.05, 0.05, 0.05))
    np.testing.assert_array_equal(look(learnt(), picture, face(40)), look(learnt(), picture, face(40)))


def test_dense_points_serve_too() -> None:
    model = OcclusionModel()
    hull = masks.face_hull(dense_face(), CROP, IBUG68)
    for frame in range(40):
        model.visible((0, 0), face(frame), face(frame), hull, CROP, dense_face(), IBUG68)
    shape = ball(-0.6, 0.7, 0.35)
    picture = covered(face(40), shape, (0.06, 0.06, 0.07))
    visible = model.visible((0, 0), picture, face(40), hull, CROP, dense_face(), IBUG68)
    assert ((1 - visible[0]) * shape).sum() > 0.5 * shape.sum()
