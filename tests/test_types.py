from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
import torch
from makers import face_at, noise_frame

from faceswap.types import CropSpec, Patch, Shot, SwapOutput, Timestamp


def test_shot_is_half_open() -> None:
    shot = Shot(3, 5)
    assert [frame for frame in range(8) if frame in shot] == [3, 4]


def test_times_are_exact() -> None:
    third = Timestamp(1001, Fraction(1, 30000))
    assert third.pts * third.time_base == Fraction(1001, 30000)
    assert third.seconds == pytest.approx(0.0333667)


def test_frame_says_size_of_its_first_plane() -> None:
    assert noise_frame("yuv420p", (33, 65)).size == (33, 65)


def test_values_do_not_change_once_made() -> None:
    with pytest.raises(FrozenInstanceError):
        CropSpec(64).size = 128  # type: ignore[misc]


def test_equal_crops_are_equal() -> None:
    assert CropSpec(64, "face") == CropSpec(64, "face", 0.0, "five-1")


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (noise_frame("yuv420p10le", (32, 48)), "uint16[32, 48], uint16[16, 24]"),
        (face_at(50, 50, 20, frame=7, track=2), "frame=7 track=2"),
        (Patch(np.zeros((3, 8, 8), np.float32), None, np.eye(2, 3)), "float32[3, 8, 8], mask=None"),
        (SwapOutput(torch.zeros(2, 3, 4, 4)), "(2, 3, 4, 4), mask=None"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_repr_shows_shapes_and_no_pixels(thing: object, words: str) -> None:
    assert words in repr(thing)
    assert len(repr(thing)) < 150


def test_importing_types_does_not_load_torch() -> None:
    code = "import sys, faceswap.types; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
