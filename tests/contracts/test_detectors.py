"""What every registered detector promises (`faceswap.faces.base.Detector`)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from clips import astronaut_picture

from faceswap.faces.base import Detector, overlap
from faceswap.faces.registry import make_detector


@pytest.fixture(scope="module", params=["centerface"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return make_detector(request.param, threads=1)


def two_faces() -> np.ndarray:
    small = cv2.resize(astronaut_picture((256, 256)), (192, 192), interpolation=cv2.INTER_AREA)
    picture = np.full((256, 512, 3), 128, dtype=np.uint8)
    picture[:, :256] = astronaut_picture((256, 256))
    picture[32:224, 288:480] = small
    return picture


def test_name_carries_a_version(detector: Detector) -> None:
    assert any(character.isdigit() for character in detector.name)


def test_every_picture_of_a_batch_gets_an_answer(detector: Detector) -> None:
    blank = np.full((64, 96, 3), 128, dtype=np.uint8)
    assert detector.detect(np.stack([blank, blank])) == [[], []]


def test_faces_have_the_documented_shapes_and_ranges(detector: Detector) -> None:
    (found,) = detector.detect(two_faces()[None])
    assert len(found) == 2
    for face in found:
        assert face.box.shape == (4,)
        assert (face.box[:2] < face.box[2:]).all()
        assert 0 <= face.score <= 1
        assert face.landmarks.ndim == 2
        assert face.landmarks.shape[1] == 2
        assert face.scheme


def test_best_face_comes_first(detector: Detector) -> None:
    (found,) = detector.detect(two_faces()[None])
    scores = [face.score for face in found]
    assert scores == sorted(scores, reverse=True)


def test_one_face_is_reported_once(detector: Detector) -> None:
    (found,) = detector.detect(two_faces()[None])
    assert overlap(found[0].box, found[1].box) == 0


def test_pictures_need_not_be_square(detector: Detector) -> None:
    (found,) = detector.detect(astronaut_picture((256, 416))[None])
    assert len(found) == 1
    assert overlap(found[0].box, [208 - 44, 52, 208 + 32, 144]) > 0.4


def test_a_batch_equals_its_pictures_one_by_one(detector: Detector) -> None:
    pictures = np.stack([astronaut_picture((256, 256), shift) for shift in (-40, 0, 40)])
    for together, single in zip(detector.detect(pictures), pictures, strict=True):
        (alone,) = detector.detect(single[None])
        np.testing.assert_allclose([f.box for f in together], [f.box for f in alone], atol=0.1)


def test_pictures_are_not_changed(detector: Detector) -> None:
    picture = astronaut_picture((256, 256))
    before = picture.copy()
    detector.detect(picture[None])
    np.testing.assert_array_equal(picture, before)
