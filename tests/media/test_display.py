from __future__ import annotations

import numpy as np
import pytest

from faceswap.media.display import checked_matrix, right_angle_turn

ONE = 65536
UPRIGHT = (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    "matrix",
    [
        (0,) * 9,
        (-(2**31), 0, 0, 0, -(2**31), 0, 0, 0, 0),
        (ONE, ONE, 0, ONE, ONE, 0, 0, 0, 1 << 30),
        (1, 0, 0, 0, 1, 0, 0, 0, 1 << 30),
    ],
)
def test_matrix_that_cannot_be_meant_is_ignored_and_said(matrix: tuple[int, ...]) -> None:
    kept, notes = checked_matrix(matrix)
    assert kept is None
    assert len(notes) == 1
    assert "makes no sense" in notes[0]


def test_matrix_of_no_right_angle_is_kept_and_said() -> None:
    cos = round(0.7071 * ONE)
    slanted = (cos, cos, 0, -cos, cos, 0, 0, 0, 1 << 30)
    kept, notes = checked_matrix(slanted)
    assert kept == slanted
    assert "no right angle" in notes[0]
    assert right_angle_turn(slanted) is None


@pytest.mark.parametrize("matrix", [None, UPRIGHT, (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)])
def test_usual_matrices_need_no_word(matrix: tuple[int, ...] | None) -> None:
    assert checked_matrix(matrix) == (matrix, [])


def test_upright_is_no_turn() -> None:
    assert right_angle_turn(UPRIGHT) is None


def test_mirror_is_a_turn_with_negative_area() -> None:
    turn = right_angle_turn((-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30))
    assert turn is not None
    np.testing.assert_array_equal(turn, [[-1, 0], [0, 1]])
