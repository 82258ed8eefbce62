from __future__ import annotations

import numpy as np
import pytest
from makers import smooth_noise
from numpy.typing import NDArray

from faceswap import color
from faceswap.convert.match import ColorMatcher

MASK = np.zeros((1, 48, 48), dtype=np.float32)
MASK[:, 8:40, 8:40] = 1
KEY = (0, 0)


def patch(seed: int) -> NDArray[np.float32]:
    return 0.2 + 0.6 * smooth_noise((48, 48), seed).transpose(2, 0, 1)


def cast(pixels: NDArray, amount: float = 0.08) -> NDArray[np.float32]:
    gains = np.array([1 + amount, 1.0, 1 - 2 * amount], dtype=np.float32).reshape(3, 1, 1)
    return pixels * gains


def mean_difference(a: NDArray, b: NDArray) -> float:
    return float(color.delta_e(a, b)[MASK[0] > 0].mean())


def test_first_patch_gets_the_colours_of_the_original() -> None:
    (result,) = ColorMatcher().match([KEY], [cast(patch(0))], [patch(0)], [MASK])
    assert mean_difference(cast(patch(0)), patch(0)) > 3
    assert mean_difference(result, patch(0)) < 0.5


def test_background_has_no_say() -> None:
    polluted = np.where(MASK > 0, patch(0), 0)
    (clean,) = ColorMatcher().match([KEY], [cast(patch(0))], [patch(0)], [MASK])
    (result,) = ColorMatcher().match([KEY], [cast(patch(0))], [polluted], [MASK])
    np.testing.assert_allclose(result, clean, atol=1e-6)


def test_match_is_steady_while_the_footage_flickers() -> None:
    matcher = ColorMatcher()
    brightness, seen = [], []
    for frame in range(60):
        flicker = patch(0) + 0.03 * (-1) ** frame
        (result,) = matcher.match([KEY], [patch(0)], [flicker], [MASK])
        brightness.append(float(result[:, MASK[0] > 0].mean()))
        seen.append(float(flicker[:, MASK[0] > 0].mean()))
    assert np.abs(np.diff(brightness[10:])).mean() < 0.1 * np.abs(np.diff(seen[10:])).mean()


def test_match_follows_a_lasting_change_of_light() -> None:
    matcher = ColorMatcher()
    for frame in range(100):
        lit = patch(0) if frame < 10 else 0.7 * patch(0)
        (result,) = matcher.match([KEY], [patch(0)], [lit], [MASK])
    assert mean_difference(result, 0.7 * patch(0)) < 0.5


def test_tracks_and_shots_are_matched_apart() -> None:
    matcher = ColorMatcher()
    matcher.match([(0, 0)], [patch(0)], [0.5 * patch(0)], [MASK])
    for key in ((0, 1), (1, 0)):
        (result,) = matcher.match([key], [patch(0)], [patch(0)], [MASK])
        assert mean_difference(result, patch(0)) < 0.1


def test_patches_of_one_call_are_matched_in_frame_order() -> None:
    together, apart = ColorMatcher(), ColorMatcher()
    news, olds = [patch(i) for i in range(3)], [cast(patch(i)) for i in range(3)]
    at_once = together.match([KEY] * 3, news, olds, [MASK] * 3)
    for i in range(3):
        (single,) = apart.match([KEY], [news[i]], [olds[i]], [MASK])
        np.testing.assert_array_equal(at_once[i], single)


def test_tiny_mask_leaves_the_patch_as_it_is() -> None:
    tiny = np.zeros_like(MASK)
    tiny[0, 20, 20:30] = 1
    (result,) = ColorMatcher().match([KEY], [patch(0)], [0.5 * patch(0)], [tiny])
    np.testing.assert_array_equal(result, patch(0))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_patches_stay_in_range(level: float) -> None:
    flat = np.full((3, 48, 48), level, dtype=np.float32)
    for new, old in ((flat, patch(0)), (patch(0), flat)):
        (result,) = ColorMatcher().match([KEY], [new], [old], [MASK])
        assert np.isfinite(result).all()
        assert 0 <= result.min() <= result.max() <= 1
