from __future__ import annotations

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
from faceswap.faces.views import Orientation, upright_from_frame
from faceswap.types import ColorInfo, Frame, PlaneLayout, Timestamp

QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])  # (x, y) -> (-y, x): clockwise on the screen, where y points down
MIRROR = np.array([[-1.0, 0.0], [0.0, 1.0]])
SIZE = (240, 320)


def rgb_frame(rgb: NDArray[np.uint8], index: int = 0) -> Frame:
    red, green, blue = (np.ascontiguousarray(rgb[..., i]) for i in range(3))
    layout, info = PlaneLayout("gbrp", (0, 0)), ColorInfo("rgb", True, 8)
    return Frame((green, blue, red), layout, info, Timestamp(index, Fraction(1, 25)), index, 1)


def find(frame: Frame, orientation: Orientation = None, min_face_px: int = 24) -> list[Detection]:
    return FaceFinder(detector(), orientation, min_face_px).in_whole_frames([frame])[0]


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
    to_upright, size = upright_from_frame(stored.size, orientation)
    assert size == SIZE
    points = geometry.apply(to_upright, found.landmarks)
    if np.linalg.det(orientation) < 0:  # left and right are as seen in the stored picture
        points = points[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(points, expected.landmarks, atol=0.5)
    shown = geometry.apply(to_upright, found.box.reshape(2, 2))
    np.testing.assert_allclose(np.sort(shown, axis=0).ravel(), expected.box, atol=0.5)


def test_face_of_an_interlaced_frame_is_found_where_its_upper_field_shows_it() -> None:
    # Softened as cameras do: every second line of a picture that is too sharp shows something else.
    upper, lower = (cv2.GaussianBlur(astronaut_picture(SIZE, shift), (0, 0), 1.2) for shift in (0.0, 20.0))
    frame = upper.copy()
    frame[1::2] = lower[1::2]
    (expected,) = find(rgb_frame(upper))
    (found,) = FaceFinder(detector(), None, 24, is_interlaced=True).in_whole_frames([rgb_frame(frame)])[0]
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.5)
    np.testing.assert_allclose(found.box, expected.box, atol=1)


def test_small_faces_are_left_out() -> None:
    frame = rgb_frame(astronaut_picture(SIZE))
    assert len(find(frame, min_face_px=60)) == 1
    assert find(frame, min_face_px=150) == []


def test_faces_between_key_frames_are_found_where_they_are() -> None:
    frames = [rgb_frame(astronaut_picture(SIZE, 4 * i), i) for i in range(5)]
    finder = FaceFinder(detector(), None, 24)
    (before,), (after,) = finder.in_whole_frames([frames[0], frames[-1]])
    between = finder.between(frames[1:-1], [before], [after])
    moved = [found[0].landmarks[2, 0] - before.landmarks[2, 0] for found in between]
    assert [len(found) for found in between] == [1, 1, 1]
    assert moved == pytest.approx([4, 8, 12], abs=1)


def test_face_lost_from_its_place_is_looked_for_in_the_whole_picture() -> None:
    finder = FaceFinder(detector(), None, 24)
    frame = rgb_frame(astronaut_picture(SIZE, 60))
    elsewhere = np.array([5.0, 150.0, 45.0, 200.0])
    (found,) = finder.in_crops([frame], [[elsewhere]], fallback=True)
    assert len(found) == 1
    (not_looked_for,) = finder.in_crops([frame], [[elsewhere]], fallback=False)
    assert not_looked_for == []


def test_two_predictions_of_one_face_give_one_face() -> None:
    finder = FaceFinder(detector(), None, 24)
    frame = rgb_frame(astronaut_picture(SIZE))
    (face,) = finder.in_whole_frames([frame])[0]
    (found,) = finder.in_crops([frame], [[face.box, face.box + 6]], fallback=False)
    assert len(found) == 1


def test_frames_without_faces_give_empty_lists() -> None:
    blank = rgb_frame(np.full((*SIZE, 3), 128, dtype=np.uint8))
    finder = FaceFinder(detector(), None, 24)
    assert finder.in_whole_frames([blank, blank]) == [[], []]
    assert finder.between([blank], [], []) == [[]]
