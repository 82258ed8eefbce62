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


def test_a_blurred_frame_is_followed_at_once_and_left_at_once() -> None:
    matcher, gains = DefinitionMatcher(), []
    for i in range(12):
        result = matcher.match("key", face(0.6), face(1.5 if i == 6 else 0.0), MASK)
        gains.append(ratio(result, face(0.6)))
    assert gains[6] < 0.6 * gains[5]
    assert gains[7] > 0.85 * gains[5]
    assert gains[11] == pytest.approx(gains[5], rel=0.1)


def test_a_frames_small_accident_hardly_moves_the_face() -> None:
    matcher, gains = DefinitionMatcher(), []
    for i in range(12):
        result = matcher.match("key", face(0.5), face(0.35 if i == 6 else 0.0), MASK)
        gains.append(ratio(result, face(0.5)))
    dip = 1 - ratio(face(0.35), face())
    assert dip > 0.03
    assert gains[5] - gains[6] < 0.5 * dip * gains[5]


def moved(length: float) -> NDArray[np.float32]:
    """Return the face as a movement of so many px during the exposure shows it."""
    if length < 1:
        return face()
    kernel = np.zeros((31, 31), dtype=np.float32)
    for t in np.linspace(-length / 2, length / 2, 200):
        kernel[round(15 + 0.4 * t), round(15 + 0.9 * t)] += 1 / 200
    return np.stack([cv2.filter2D(plane, -1, kernel) for plane in face()])


def test_face_gets_as_blurred_as_a_moving_head() -> None:
    """The network's face stays sharp while the head starts to move, moves and stops."""
    matcher, ratios = DefinitionMatcher(), []
    for length in (*[0] * 12, 2, 4, 6, *[7] * 10, 5, 2, *[0] * 8):
        target = moved(length)
        ratios.append(ratio(matcher.match("key", face(), target, MASK), target))
    assert ratio(face(), moved(7)) > 1.35
    assert ratios[11] == pytest.approx(1, abs=0.02)
    assert np.abs(np.array(ratios[18:25]) - 1).max() < 0.1
    assert ratios[-1] == pytest.approx(1, abs=0.03)
    assert max(ratios) < 1.25
    assert min(ratios) > 0.85


def test_another_persons_stronger_features_are_not_blurred_away() -> None:
    """A fifth more contrast in the lower band all along is no blur."""
    soft = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in face()])
    lower = soft - np.stack([cv2.GaussianBlur(plane, (0, 0), 2.0) for plane in face()])
    strong = np.clip(face() + 0.15 * lower, 0, 1)
    result = DefinitionMatcher().match("key", strong, face(), MASK)
    kept = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in result])
    before = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in strong])
    np.testing.assert_allclose(kept, before, atol=0.02)
