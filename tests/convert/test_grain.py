from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from makers import face_at, noise_frame
from numpy.typing import NDArray

from faceswap.convert import blend
from faceswap.convert.grain import Grain, GrainMatcher, measure
from faceswap.figures.detail import grain
from faceswap.types import CropSpec, Frame, Patch

SIZE = (240, 320)
FACE = face_at(160, 100, 40)


def grainy(sigma: float, blur: float = 0.0, pix_fmt: str = "yuv420p", seed: int = 0) -> Frame:
    """A smooth picture with noise of `sigma` 8-bit codes, soft by `blur` px."""
    clean = noise_frame(pix_fmt, SIZE)
    base = cv2.GaussianBlur(clean.planes[0].astype(np.float32), (0, 0), 8)
    noise = np.random.default_rng(seed).normal(0, 1, SIZE).astype(np.float32)
    if blur:
        noise = cv2.GaussianBlur(noise, (0, 0), blur)
        noise /= noise.std()
    step = 2 ** (clean.color.bit_depth - 8)
    luma = np.rint(base + sigma * step * noise).astype(clean.planes[0].dtype)
    return replace(clean, planes=(luma, *clean.planes[1:]))


def middle_noise(frame: Frame) -> NDArray[np.float64]:
    return np.array(measure(frame, FACE)) * 219


def pasted(frame: Frame, noise: Grain | None) -> Frame:
    """A flat patch over the face."""
    crop = CropSpec(64, "face")
    patch = blend.cut(frame, FACE, crop)
    mask = np.zeros((1, 64, 64), dtype=np.float32)
    mask[:, 4:-4, 4:-4] = 1
    return blend.paste(frame, Patch(np.full_like(patch.pixels, 0.5), mask, patch.patch_from_frame), noise)


@pytest.mark.parametrize("sigma", [1.0, 2.5, 5.0])
@pytest.mark.parametrize("blur", [0.0, 0.4, 0.55])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_pasted_face_has_the_grain_of_the_footage(sigma: float, blur: float, pix_fmt: str) -> None:
    frame, matcher = grainy(sigma, blur, pix_fmt), GrainMatcher()
    matcher.observe("key", measure(frame, FACE))
    noise = matcher.grain_of("key", 0, FACE)
    assert noise is not None
    result = pasted(frame, noise)
    np.testing.assert_allclose(middle_noise(result), middle_noise(frame), rtol=0.25, atol=0.2)
    assert middle_noise(pasted(frame, None)).max() < 0.2


def test_clean_footage_gets_no_grain() -> None:
    matcher = GrainMatcher()
    matcher.observe("key", measure(grainy(0.0), FACE))
    assert matcher.grain_of("key", 0, FACE) is None
    assert matcher.grain_of("other", 0, FACE) is None


def test_grain_follows_from_frame_and_track_alone() -> None:
    frame = grainy(3.0)
    first, again = (pasted(frame, Grain(0.01, 0.01, seed=5)) for _ in range(2))
    other = pasted(frame, Grain(0.01, 0.01, seed=6))
    np.testing.assert_array_equal(first.planes[0], again.planes[0])
    assert (first.planes[0] != other.planes[0]).mean() > 0.05
    matcher = GrainMatcher()
    matcher.observe("key", (0.02, 0.01))
    seeds = {matcher.grain_of("key", number, FACE).seed for number in range(5)}  # type: ignore[union-attr]
    assert len(seeds) == 5


def test_grain_stays_inside_the_mask_and_in_luma() -> None:
    frame = grainy(3.0)
    with_grain, without = pasted(frame, Grain(0.02, 0.0, seed=1)), pasted(frame, None)
    assert (with_grain.planes[0] != without.planes[0]).mean() > 0.05
    untouched = without.planes[0] == frame.planes[0]
    untouched[40:200] = False  # rows that the mask reaches
    np.testing.assert_array_equal(with_grain.planes[0][untouched], frame.planes[0][untouched])
    for plane in (1, 2):
        np.testing.assert_array_equal(with_grain.planes[plane], without.planes[plane])


def test_strength_is_steady_over_time() -> None:
    matcher, strengths = GrainMatcher(), []
    for i in range(40):
        matcher.observe("key", measure(grainy(3.0, seed=i), FACE))
        noise = matcher.grain_of("key", i, FACE)
        assert noise is not None
        strengths.append(noise.fine)
    assert np.std(strengths[10:]) < 0.05 * np.mean(strengths)


def test_texture_of_the_skin_is_not_taken_for_grain() -> None:
    frame, matcher = grainy(6.0, blur=1.6), GrainMatcher()
    matcher.observe("key", measure(frame, FACE))
    assert matcher.grain_of("key", 0, FACE) is None


def test_a_face_too_small_to_tell_is_passed_over() -> None:
    assert np.isnan(measure(grainy(3.0), face_at(160, 100, 5))).all()
    matcher = GrainMatcher()
    matcher.observe("key", (float("nan"), float("nan")))
    assert matcher.grain_of("key", 0, FACE) is None


def test_noise_of_the_tiles_reads_as_the_figures_expect() -> None:
    frame = grainy(0.0)
    for made in (Grain(0.02, 0.0, 3), Grain(0.0, 0.05, 3)):
        fine, coarse = grain(made.codes((256, 256), frame), np.ones((256, 256), dtype=bool))
        expected = (0.02 * 219, 0.5 * 0.02 * 219) if made.fine else (0.0851 * 0.05 * 219, 0.3644 * 0.05 * 219)
        assert (fine, coarse) == pytest.approx(expected, rel=0.12)
