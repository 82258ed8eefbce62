"""Display matrices: how a player turns and mirrors the stored picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ONE = 65536
"""1.0 as the fixed-point number that containers store."""
_MAX_FACTOR = 16
_MIN_AREA = 1e-3


def checked_matrix(matrix: tuple[int, ...] | None) -> tuple[tuple[int, ...] | None, list[str]]:
    """Return FFmpeg's nine display-matrix numbers, or None where they cannot be meant, and what is to be said.

    A matrix that flattens the picture or blows it up is garbage. One that turns by no right angle is kept, since players
    follow it; faces are then looked for in the picture as it is stored.
    """
    if matrix is None:
        return None, []
    linear = _linear(matrix)
    if abs(np.linalg.det(linear)) < _MIN_AREA or np.abs(linear).max() > _MAX_FACTOR:
        return None, ["the clip's display matrix makes no sense and is ignored: the picture is taken as it is stored"]
    if _turn(linear) is None:
        return matrix, [
            "the display matrix turns the picture by no right angle; faces are looked for as the picture is stored"
        ]
    return matrix, []


def right_angle_turn(matrix: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Return the (2, 2) integer linear part of a display matrix, y down; None = upright, or no right angle."""
    turn = _turn(_linear(matrix))
    return None if turn is None or np.array_equal(turn, np.eye(2)) else turn


def _linear(matrix: tuple[int, ...]) -> NDArray[np.float64]:
    a, b, _, c, d = matrix[:5]
    return np.array([[a, c], [b, d]], dtype=np.float64) / _ONE


def _turn(linear: NDArray[np.float64]) -> NDArray[np.float64] | None:
    turn = np.rint(linear / np.abs(linear).max())
    is_right_angle = abs(round(np.linalg.det(turn))) == 1 and np.abs(turn).sum() == 2
    # + 0.0 makes -0.0 plain zeros
    return turn + 0.0 if is_right_angle else None
