from __future__ import annotations

import numpy as np
import pytest
from makers import detector
from skimage.data import astronaut

from faceswap.faces.base import Detection, overlap
from faceswap.faces.centerface import CENTERFACE
from faceswap.faces.detector import OnnxDetector
from faceswap.faces.graph import read_graph
from faceswap.faces.registry import DEFAULT_DETECTOR, make_detector
from faceswap.weights import read_weights

FACE = [178, 65, 272, 180]
POINTS = np.array([[204, 104], [248, 105], [224, 129], [207, 145], [242, 147]])
"""Eyes, nose tip and mouth corners, measured by eye in the photograph."""


def only_face(found: list[Detection]) -> Detection:
    assert len(found) == 1
    return found[0]


def test_portrait_has_one_face_with_its_points_in_place() -> None:
    face = only_face(detector().detect(astronaut()[None])[0])
    assert overlap(face.box, FACE) > 0.75
    assert np.hypot(*(face.landmarks - POINTS).T).max() < 8


def test_batch_of_three_equals_three_single_pictures() -> None:
    picture = astronaut()
    pictures = np.stack([picture, np.roll(picture, 64, axis=1), np.ascontiguousarray(picture[:, ::-1])])
    together = [only_face(found) for found in detector().detect(pictures)]
    alone = [only_face(detector().detect(single[None])[0]) for single in pictures]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=0.05)
        np.testing.assert_allclose(a.landmarks, b.landmarks, atol=0.05)


def test_detections_move_with_the_picture() -> None:
    still = only_face(detector().detect(astronaut()[None])[0])
    moved = only_face(detector().detect(np.roll(astronaut(), (32, 64), axis=(0, 1))[None])[0])
    np.testing.assert_allclose(moved.landmarks - still.landmarks, [[64, 32]] * 5, atol=1.5)


def test_first_eye_is_the_left_one_in_the_picture() -> None:
    mirrored = np.ascontiguousarray(astronaut()[:, ::-1])
    face = only_face(detector().detect(mirrored[None])[0])
    assert face.landmarks[0, 0] < face.landmarks[1, 0]
    assert face.landmarks[3, 0] < face.landmarks[4, 0]


@pytest.mark.parametrize("min_score", [0.5, 0.95])
def test_faces_below_the_minimum_score_are_left_out(min_score: float) -> None:
    graph = read_graph(read_weights("centerface"), "centerface", is_fully_convolutional=True)
    strict = OnnxDetector(graph, CENTERFACE, "centerface-1", threads=1, device="cpu", min_score=min_score)
    found = strict.detect(astronaut()[None])[0]
    assert len(found) == (0 if min_score > 0.94 else 1)


def test_it_is_the_default_under_its_name() -> None:
    assert make_detector().name == DEFAULT_DETECTOR


def test_unknown_detector_is_refused_with_the_known_ones() -> None:
    from faceswap.errors import UsageError

    with pytest.raises(UsageError, match="centerface"):
        make_detector("retinaface")
