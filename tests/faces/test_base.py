from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceswap.faces.base import non_maximum_suppression, overlap

corners = st.tuples(st.floats(0, 100), st.floats(0, 100))
sides = st.tuples(st.floats(0.5, 50), st.floats(0.5, 50))
boxes = st.builds(lambda corner, side: np.array([*corner, corner[0] + side[0], corner[1] + side[1]]), corners, sides)


def test_overlap_is_shared_by_joint_area() -> None:
    assert overlap([0, 0, 10, 10], [5, 0, 15, 10]) == pytest.approx(50 / 150)


def test_boxes_that_only_touch_do_not_overlap() -> None:
    assert overlap([0, 0, 10, 10], [10, 0, 20, 10]) == 0


@given(boxes, boxes)
def test_overlap_is_symmetric_and_at_most_one(a: NDArray, b: NDArray) -> None:
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert 0 <= overlap(a, b) <= 1 + 1e-9
    assert overlap(a, a) == pytest.approx(1)


def test_suppression_keeps_the_best_of_each_heap() -> None:
    found = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [50, 51, 60, 61]], dtype=np.float64)
    assert non_maximum_suppression(found, np.array([0.6, 0.9, 0.8, 0.7]), 0.3) == [1, 2]


def test_suppression_keeps_neighbours_that_overlap_little() -> None:
    found = np.array([[0, 0, 10, 10], [8, 0, 18, 10]], dtype=np.float64)
    assert non_maximum_suppression(found, np.array([0.5, 0.6]), 0.3) == [1, 0]


def test_suppressed_box_does_not_suppress_others() -> None:
    chain = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], dtype=np.float64)
    assert non_maximum_suppression(chain, np.array([0.9, 0.8, 0.7]), 0.3) == [0, 2]


def test_nothing_to_suppress() -> None:
    assert non_maximum_suppression(np.zeros((0, 4)), np.zeros(0), 0.3) == []
