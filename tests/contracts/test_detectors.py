"""What every detector that can be had promises (`faceswap.faces.base.Detector`): the embedded one, and files beside the
checkout."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from clips import astronaut_picture
from shared_networks import shared_networks

from faceswap.faces.base import Detector, overlap
from faceswap.faces.registry import make_detector


@pytest.fixture(scope="module", params=["centerface", *shared_networks("detector")])
def detector(request: pytest.FixtureRequest) -> Detector:
    return make_detector(request.param, threads=1)


POINTS = np.array([[203.6, 102], [246.8, 104], [224, 128.5], [202, 139.5], [246, 142]])
"""Eyes, nose tip and mouth corners in the photograph, measured by eye."""


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
        assert len(together) == len(alone) == 1
        np.testing.assert_allclose([f.box for f in together], [f.box for f in alone], atol=0.1)
        np.testing.assert_allclose([f.landmarks for f in together], [f.landmarks for f in alone], atol=0.1)


def test_pictures_are_not_changed(detector: Detector) -> None:
    picture = astronaut_picture((256, 256))
    before = picture.copy()
    detector.detect(picture[None])
    np.testing.assert_array_equal(picture, before)


def test_points_lie_where_eyes_nose_and_mouth_are(detector: Detector) -> None:
    (found,) = detector.detect(astronaut_picture((256, 256))[None])
    face = max(found, key=lambda f: f.score)
    scale = 256 / 320  # as `astronaut_picture` places the photograph
    expected = POINTS * scale + [128 - 224 * scale, 0]
    iod = np.hypot(*(expected[1] - expected[0]))
    # Detectors of boxes only give a mean face's points: near enough to point a landmarker at.
    limit = 0.5 if getattr(detector, "is_boxes_only", False) else 0.2
    assert np.hypot(*(face.landmarks - expected).T).max() < limit * iod


def test_points_move_with_the_picture_by_whole_pixels(detector: Detector) -> None:
    shown = [astronaut_picture((256, 256), shift) for shift in (0, 32)]
    still, moved = (found[0] for found in detector.detect(np.stack(shown)))
    np.testing.assert_allclose((moved.landmarks - still.landmarks).mean(axis=0), [32, 0], atol=1.5)


def test_the_first_eye_is_the_left_one_in_the_picture(detector: Detector) -> None:
    mirrored = np.ascontiguousarray(astronaut_picture((256, 256))[:, ::-1])
    face = detector.detect(mirrored[None])[0][0]
    assert face.landmarks[0, 0] < face.landmarks[1, 0]
    assert face.landmarks[3, 0] < face.landmarks[4, 0]
