from __future__ import annotations

import cv2
import numpy as np
import pytest
from clips import astronaut_picture
from numpy.typing import NDArray

from faceswap import color
from faceswap.convert.light import keep_light
from faceswap.convert.match import ColorMatcher

SIZE = 96


def face() -> NDArray[np.float32]:
    """(3, S, S): a real face, filling the patch."""
    whole = astronaut_picture((512, 512))
    part = whole[60:316, 150:406] if whole.shape[0] >= 400 else whole
    return cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_AREA).transpose(2, 0, 1).astype(np.float32) / 255


def mask() -> NDArray[np.float32]:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.clip((38 - np.hypot(x - 48, y - 48)) / 6, 0, 1).astype(np.float32)[None]


def lit(picture: NDArray, angle: float, strength: float = 0.8) -> NDArray[np.float32]:
    """The picture under light from one side, in linear light."""
    y, x = (np.mgrid[:SIZE, :SIZE] / SIZE - 0.5).astype(np.float32)
    gain = np.exp2(strength * (np.cos(angle) * x + np.sin(angle) * y) * 2)
    return np.clip(picture * gain ** (1 / 2.2), 0, 1).astype(np.float32)


def difference(a: NDArray, b: NDArray) -> float:
    return float(color.delta_e(a, b)[mask()[0] > 0.5].mean())


@pytest.mark.parametrize("angle", [0.0, 1.2, 2.5, 4.0])
def test_light_from_another_side_is_brought_back(angle: float) -> None:
    target, swapped = lit(0.7 * face(), angle), lit(0.7 * face(), angle + np.pi)
    result = keep_light(swapped, target, mask())
    assert difference(swapped, target) > 5
    assert difference(result, target) < 0.4 * difference(swapped, target)


def test_face_under_the_same_light_stays_as_it_is() -> None:
    picture = face()
    assert difference(keep_light(picture, picture, mask()), picture) < 0.1


def test_features_of_the_swapped_face_stay() -> None:
    other = face()[:, :, ::-1].copy()  # another face under the same even light
    result = keep_light(other, face(), mask())
    fine = [picture - cv2.GaussianBlur(picture.mean(axis=0), (0, 0), 4) for picture in (other, result)]
    inside = mask()[0] > 0.9
    assert np.corrcoef(fine[0].mean(axis=0)[inside], fine[1].mean(axis=0)[inside])[0, 1] > 0.97


def test_light_that_flickers_is_followed() -> None:
    other = face()[:, :, ::-1].copy()
    weight = mask()[0]
    means = []
    for gain in (0.5, 0.6, 0.5, 0.6):
        result = keep_light(0.55 * other, gain * face(), mask())
        means.append(float((result * weight).sum() / (gain * face() * weight).sum()))
    np.testing.assert_allclose(means, means[0], rtol=0.05)


@pytest.mark.parametrize("size", [64, 96, 100, 256])
def test_a_step_at_the_edge_is_evened_out_and_the_middle_stays(size: int) -> None:
    """A face whose cheek is lighter near the edge than the target's: the edge joins, the eyes' place is the swap's."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    radius = np.hypot(x, y) / size
    under = np.clip((0.4 - radius) / 0.04, 0, 1).astype(np.float32)[None]
    rim = np.exp(-np.square((radius - 0.38) / 0.03)).astype(np.float32)
    target = np.full((3, size, size), 0.5, np.float32)
    swapped = target + 0.1 * rim
    result = keep_light(swapped, target, under)
    edge, middle = np.abs(radius - 0.385) < 0.01, radius < 0.25
    assert np.abs(result - target)[:, edge].mean() < 0.35 * np.abs(swapped - target)[:, edge].mean()
    assert np.abs(result - swapped)[:, middle].max() < 0.02


def test_hair_at_the_edge_is_not_painted_over_the_face() -> None:
    target, swapped = 0.6 * face(), 0.6 * face()
    target[:, :24] = 0.02  # a fringe under the mask
    change = np.abs(keep_light(swapped, target, mask()) - keep_light(swapped, 0.6 * face(), mask()))
    assert change[:, 44:].max() < 0.12


def test_what_is_outside_the_mask_has_no_say() -> None:
    target, swapped = lit(face(), 0.5), lit(face(), 3.0)
    polluted = np.where(mask() > 0, target, 1.0).astype(np.float32)
    inside = mask()[0] > 0
    np.testing.assert_allclose(
        keep_light(swapped, polluted, mask())[:, inside], keep_light(swapped, target, mask())[:, inside], atol=1e-4
    )


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_strength_scales_the_change(strength: float) -> None:
    target, swapped = lit(0.7 * face(), 0.0), lit(0.7 * face(), np.pi)
    full = difference(keep_light(swapped, target, mask()), swapped)
    assert difference(keep_light(swapped, target, mask(), strength), swapped) == pytest.approx(strength * full, rel=0.2)


def test_empty_mask_and_black_pictures_are_survived() -> None:
    assert keep_light(face(), face(), np.zeros_like(mask())) is not None
    black = np.zeros((3, SIZE, SIZE), dtype=np.float32)
    assert np.isfinite(keep_light(face(), black, mask())).all()
    assert np.isfinite(keep_light(black, face(), mask())).all()


def casts(count: int) -> list[tuple[NDArray, NDArray]]:
    """Random colour casts: an affine change of RGB as light, white balance and exposure make them."""
    rng = np.random.default_rng(5)
    return [
        (np.eye(3) * rng.uniform(0.7, 1.15, 3) + rng.normal(0, 0.03, (3, 3)), rng.normal(0, 0.02, 3))
        for _ in range(count)
    ]


@pytest.mark.parametrize(("occluded", "limit"), [(False, 1.0), (True, 1.2)])
def test_random_casts_are_taken_out(occluded: bool, limit: float) -> None:
    """The golden figures of the design: mean dE2000 to a known truth of at most 1 clean, 1.2 with something in front."""
    truth, errors = 0.15 + 0.6 * face(), []
    covered = truth.copy()
    if occluded:
        covered[:, 58:84, 36:60] = np.array([0.1, 0.15, 0.5], dtype=np.float32).reshape(3, 1, 1)
    for linear, offset in casts(40):
        swapped = color.transform(truth, color.Affine(linear, offset))
        (matched,) = ColorMatcher().match([(0, 0)], [swapped], [covered], [mask()])
        errors.append(difference(matched, truth))
    assert np.mean(errors) <= limit


@pytest.mark.parametrize("kind", ["mkl", "reinhard", "mean"])
def test_every_match_gives_the_target_its_mean(kind: str) -> None:
    swapped, target = 0.15 + 0.5 * face(), 0.1 + 0.7 * face()
    (matched,) = ColorMatcher(kind).match([(0, 0)], [swapped], [target], [mask()])
    assert difference(matched, target) < 0.5 * difference(swapped, target)
