from __future__ import annotations

import numpy as np
import pytest
from makers import face_at

from faceswap import geometry
from faceswap.errors import ShapeError
from faceswap.faces import align
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import CropSpec, Face


def test_template_lands_on_the_landmarks() -> None:
    face = face_at(300, 200, 40, angle=0.3)
    matrix = align.frame_from_canonical(face.landmarks, FIVE)
    np.testing.assert_allclose(geometry.apply(matrix, SCHEMES[FIVE].template), face.landmarks, atol=1e-6)


def test_landmarks_of_an_unknown_scheme_are_refused() -> None:
    with pytest.raises(ShapeError, match="'five'"):
        align.frame_from_canonical(np.zeros((68, 2)), "nine")


def test_patch_shows_the_face_upright_and_centred() -> None:
    crop = CropSpec(100, "face")
    face = face_at(300, 200, 40, angle=0.7)
    in_patch = geometry.apply(align.patch_from_frame(face, crop), face.landmarks)
    left_eye, right_eye = in_patch[:2]
    assert right_eye[1] - left_eye[1] == pytest.approx(0, abs=0.5)
    assert (left_eye[0] + right_eye[0]) / 2 == pytest.approx(50, abs=0.5)
    assert right_eye[0] - left_eye[0] == pytest.approx(100 / 3.1, abs=0.5)


def test_canonical_landmarks_do_not_depend_on_place_and_size() -> None:
    expected = SCHEMES[FIVE].template
    for face in (face_at(10, 20, 15), face_at(500, 300, 80, angle=-0.4)):
        np.testing.assert_allclose(align.canonical_landmarks(face), expected, atol=1e-9)


def test_face_without_transform_is_refused() -> None:
    face = Face(0, np.zeros(4), 0.9, np.zeros((5, 2)))
    with pytest.raises(ShapeError, match="not aligned"):
        align.patch_from_frame(face, CropSpec(64))
    with pytest.raises(ShapeError, match="not aligned"):
        align.canonical_landmarks(face)
