from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from clips import astronaut_picture
from makers import detector
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.base import Detection
from faceswap.faces.finder import FaceFinder
from faceswap.faces.viewer import Place, Viewer
from faceswap.faces.views import Orientation
from faceswap.types import ColorInfo, Frame, PlaneLayout, Timestamp

QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])  # (x, y) -> (-y, x): clockwise on the screen, where y points down
MIRROR = np.array([[-1.0, 0.0], [0.0, 1.0]])
SIZE = (240, 320)


def rgb_frame(rgb: NDArray[np.uint8], index: int = 0) -> Frame:
    red, green, blue = (np.ascontiguousarray(rgb[..., i]) for i in range(3))
    layout, info = PlaneLayout("gbrp", (0, 0)), ColorInfo("rgb", True, 8)
    return Frame((green, blue, red), layout, info, Timestamp(index, Fraction(1, 25)), index, 1)


def find(frame: Frame, orientation: Orientation = None, min_face_px: int = 24) -> list[Detection]:
    return FaceFinder(detector(), Viewer(orientation), min_face_px).at_key(frame)


@pytest.mark.parametrize(
    ("orientation", "store"),
    [
        (QUARTER, lambda upright: np.rot90(upright, 1)),  # stored counter-clockwise, shown turned clockwise
        (QUARTER.T, lambda upright: np.rot90(upright, -1)),
        (-np.eye(2), lambda upright: np.rot90(upright, 2)),
        (MIRROR, lambda upright: upright[:, ::-1]),
    ],
    ids=["clockwise", "counter-clockwise", "upside-down", "mirrored"],
)
def test_face_in_a_turned_clip_is_given_in_stored_pixels(orientation: NDArray, store: object) -> None:
    upright = astronaut_picture(SIZE)
    (expected,) = find(rgb_frame(upright))
    stored = rgb_frame(store(upright))  # type: ignore[operator]
    (found,) = find(stored, orientation)
    corners = geometry.corners_of(stored.size) @ orientation.T
    to_upright = np.column_stack([orientation, -corners.min(axis=0)])
    points, tolerance = geometry.apply(to_upright, found.landmarks), 0.5
    if np.linalg.det(orientation) < 0:  # left and right are as seen in the stored picture, and seen mirrored
        points, tolerance = points[[1, 0, 2, 4, 3]], 3.0
    np.testing.assert_allclose(points, expected.landmarks, atol=tolerance)
    shown = geometry.apply(to_upright, found.box.reshape(2, 2))
    np.testing.assert_allclose(np.sort(shown, axis=0).ravel(), expected.box, atol=2 * tolerance)


def test_face_of_an_interlaced_frame_is_found_where_its_upper_field_shows_it() -> None:
    # Softened as cameras do: every second line of a picture that is too sharp shows something else.
    upper, lower = (cv2.GaussianBlur(astronaut_picture(SIZE, shift), (0, 0), 1.2) for shift in (0.0, 20.0))
    frame = upper.copy()
    frame[1::2] = lower[1::2]
    (expected,) = find(rgb_frame(upper))
    (found,) = FaceFinder(detector(), Viewer(is_interlaced=True), 24).at_key(rgb_frame(frame))
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.5)
    np.testing.assert_allclose(found.box, expected.box, atol=1)


def test_small_faces_are_left_out() -> None:
    frame = rgb_frame(astronaut_picture(SIZE))
    assert len(find(frame, min_face_px=60)) == 1
    assert find(frame, min_face_px=150) == []


def finder(refine: int = 1) -> FaceFinder:
    return FaceFinder(detector(), Viewer(), 24, refine)


def test_faces_between_key_frames_are_found_where_they_are() -> None:
    frames = [rgb_frame(astronaut_picture(SIZE, 4 * i), i) for i in range(5)]
    (before,), (after,) = (finder().at_key(frame) for frame in (frames[0], frames[-1]))
    between = finder().between(frames[1:-1], [before], [after])
    moved = [found[0].landmarks[2, 0] - before.landmarks[2, 0] for found in between]
    assert [len(found) for found in between] == [1, 1, 1]
    assert moved == pytest.approx([4, 8, 12], abs=1)


def test_face_that_left_its_place_is_looked_for_around_it() -> None:
    frame = rgb_frame(astronaut_picture(SIZE, 0))
    (face,) = finder().at_key(frame)
    gone = Place(face.box + np.array([90.0, 10.0, 90.0, 10.0]), 0.0)
    assert finder().in_crops([frame], [[gone]]) == [[None]]
    (found,) = finder().between([frame], [replace(face, box=gone.box)], [])[0]
    np.testing.assert_allclose(found.landmarks, face.landmarks, atol=1.5)


def test_two_predictions_of_one_face_give_one_face() -> None:
    frame = rgb_frame(astronaut_picture(SIZE))
    (face,) = finder().at_key(frame)
    assert len(finder().at_key(frame, [Place.of(face), Place(face.box + 6, 0.1)])) == 1


def test_frames_without_faces_give_empty_lists() -> None:
    blank = rgb_frame(np.full((*SIZE, 3), 128, dtype=np.uint8))
    assert finder().at_key(blank, is_thorough=True, with_turned=True) == []
    assert finder().between([blank], [], []) == [[]]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_heads_that_lie_or_hang_are_found(quarters: int) -> None:
    (upright,) = finder().at_key(rgb_frame(astronaut_picture(SIZE)))
    lying = rgb_frame(np.rot90(astronaut_picture(SIZE), quarters))
    (found,) = finder().at_key(lying, with_turned=True)
    roll = np.degrees(Place.of(found).roll - Place.of(upright).roll)
    assert (roll + 90 * quarters + 180) % 360 - 180 == pytest.approx(0, abs=3)
    eyes = np.hypot(*(found.landmarks[1] - found.landmarks[0]))
    assert eyes == pytest.approx(np.hypot(*(upright.landmarks[1] - upright.landmarks[0])), rel=0.05)


def test_known_roll_of_a_head_makes_its_crop_upright() -> None:
    turn = cv2.getRotationMatrix2D((160, 120), 65, 1.0)
    leaning = rgb_frame(cv2.warpAffine(astronaut_picture(SIZE), turn, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE))
    (face,) = finder().at_key(rgb_frame(astronaut_picture(SIZE)))
    expected = face.landmarks @ turn[:, :2].T + turn[:, 2]
    place = Place(np.concatenate([expected.min(axis=0) - 20, expected.max(axis=0) + 20]), np.radians(-65))
    ((found,),) = finder().in_crops([leaning], [[place]])
    assert found is not None
    np.testing.assert_allclose(found.landmarks, expected, atol=2.5)


def test_small_face_of_a_large_picture_needs_a_thorough_look() -> None:
    small = cv2.resize(astronaut_picture((320, 320)), (80, 80), interpolation=cv2.INTER_AREA)
    large = np.full((1080, 1920, 3), 90, dtype=np.uint8)
    large[500:580, 1300:1380] = small
    assert finder().at_key(rgb_frame(large)) == []
    (found,) = finder().at_key(rgb_frame(large), is_thorough=True)
    assert 1300 < found.box[0] < found.box[2] < 1380


def test_face_that_fills_the_picture_is_found() -> None:
    (face,) = finder().at_key(rgb_frame(astronaut_picture((480, 640))))
    x0, y0, x1, y1 = face.box.astype(int)
    filled = np.ascontiguousarray(astronaut_picture((480, 640))[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10])
    large = cv2.resize(filled, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    (found,) = finder().at_key(rgb_frame(large))
    expected = (face.landmarks - [x0 + 10, y0 + 10]) * 6
    eyes = np.hypot(*(expected[1] - expected[0]))
    assert np.hypot(*(found.landmarks - expected).T).max() < 0.2 * eyes


def test_mean_over_shaken_crops_is_steadier() -> None:
    def spread(refine: int) -> float:
        shown = [rgb_frame(astronaut_picture(SIZE, shift)) for shift in np.arange(0, 3, 0.25)]
        eyes = [finder(refine).at_key(frame)[0].landmarks[:2, 1].mean() for frame in shown]
        return float(np.std(eyes))

    assert spread(8) < 0.8 * spread(1)
