from __future__ import annotations

import cv2
import numpy as np
import pytest
from clips import astronaut_picture
from numpy.typing import NDArray

from faceswap.convert.definition import DefinitionMatcher
from faceswap.figures.detail import band_energy

SIZE = 96
MASK = np.zeros((1, SIZE, SIZE), dtype=np.float32)
MASK[:, 10:-10, 10:-10] = 1


def face(blur: float = 0.0) -> NDArray[np.float32]:
    part = astronaut_picture((300, 300))[60:252, 60:252]
    small = cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return (cv2.GaussianBlur(small, (0, 0), blur) if blur else small).transpose(2, 0, 1)


def sharpness(picture: NDArray) -> float:
    return band_energy(picture.mean(axis=0), MASK[0])


def ratio(result: NDArray, target: NDArray) -> float:
    return sharpness(result) / sharpness(target)


@pytest.mark.parametrize("blur", [0.4, 0.6])
def test_soft_face_becomes_as_sharp_as_the_footage(blur: float) -> None:
    result = DefinitionMatcher().match("key", face(blur), face(), MASK)
    assert ratio(face(blur), face()) < 0.95
    assert ratio(result, face()) == pytest.approx(1, abs=0.1)


def test_sharp_face_becomes_as_soft_as_a_blurred_frame() -> None:
    result = DefinitionMatcher().match("key", face(), face(1.2), MASK)
    assert ratio(face(), face(1.2)) > 2
    assert ratio(result, face(1.2)) == pytest.approx(1, abs=0.6)


def test_very_soft_face_is_not_sharpened_without_end() -> None:
    result = DefinitionMatcher().match("key", face(3.0), face(), MASK)
    assert np.abs(result - face(3.0)).max() < 0.1
    assert ratio(result, face(3.0)) < 1.8


def test_equal_faces_stay_as_they_are() -> None:
    np.testing.assert_allclose(DefinitionMatcher().match("key", face(), face(), MASK), face(), atol=1e-4)


def test_grain_of_the_footage_is_not_taken_for_sharpness() -> None:
    grainy = face(0.5) + np.random.default_rng(0).normal(0, 0.02, (1, SIZE, SIZE)).astype(np.float32)
    result = DefinitionMatcher().match("key", face(0.5), grainy, MASK, noise=0.02)
    fooled = DefinitionMatcher().match("key", face(0.5), grainy, MASK)
    assert ratio(result, face(0.5)) == pytest.approx(1, abs=0.03)
    assert ratio(fooled, face(0.5)) > 1.04


def test_strength_nothing_changes_nothing_and_small_masks_are_passed_over() -> None:
    assert DefinitionMatcher().match("key", face(0.5), face(), MASK, strength=0) is not None
    np.testing.assert_array_equal(DefinitionMatcher().match("key", face(0.5), face(), MASK, strength=0), face(0.5))
    np.testing.assert_array_equal(DefinitionMatcher().match("key", face(0.5), face(), 0 * MASK), face(0.5))


def test_one_blurred_frame_hardly_moves_the_next() -> None:
    matcher, gains = DefinitionMatcher(), []
    for i in range(12):
        result = matcher.match("key", face(0.6), face(1.5 if i == 6 else 0.0), MASK)
        gains.append(ratio(result, face(0.6)))
    assert gains[6] < gains[5]
    assert gains[11] == pytest.approx(gains[5], rel=0.1)
    assert gains[5] - gains[6] < 0.35 * gains[5]
