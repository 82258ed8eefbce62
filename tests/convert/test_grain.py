from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from makers import face_at, noise_frame
from numpy.typing import NDArray

from faceswap.convert import blend
from faceswap.convert.grain import Grain, GrainMatcher, fitted
from faceswap.convert.grain_seen import GrainSeen, look, shared_texture
from faceswap.figures.detail import noise_levels
from faceswap.types import CropSpec, Face, Frame, Patch

SIZE = (300, 400)
IOD = 60.0


def face(frame: int = 0, shift: float = 0.0) -> Face:
    return face_at(200 + shift, 120 + 0.5 * shift, IOD, frame=frame)


def noise_of(size: tuple[int, ...], sigma: float, blur: float, seed: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, 1, size).astype(np.float32)
    if blur:
        noise = cv2.GaussianBlur(noise, (0, 0), blur)
    return noise * np.float32(sigma / noise.std())


def moved(plane: NDArray, x: float, y: float) -> NDArray[np.float32]:
    matrix = np.array([[1, 0, x], [0, 1, y]])
    size = plane.shape[1], plane.shape[0]
    return cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def grainy(
    sigma: float,
    blur: float = 0.0,
    pix_fmt: str = "yuv420p",
    *,
    frame: int = 0,
    shift: float = 0.0,
    chroma: float = 0.0,
    texture: float = 0.0,
) -> Frame:
    """A soft picture with grain of `sigma` 8-bit codes, soft by `blur` px; and skin `texture` (1.6 px) that moves by `shift`."""
    clean = noise_frame(pix_fmt, SIZE)
    step = 2 ** (clean.color.bit_depth - 8)
    planes = []
    for i, plane in enumerate(clean.planes):
        base = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 8)
        if not i:
            base = moved(base + step * noise_of(SIZE, texture, 1.6, 99), shift, 0.5 * shift)
        grain = noise_of(base.shape, chroma if i else sigma, blur, 10 * frame + i)
        planes.append(np.rint(base + step * grain).astype(plane.dtype))
    return replace(clean, planes=tuple(planes), index=frame)


def learnt(count: int = 10, speed: float = 0.7, **values: object) -> GrainMatcher:
    """A matcher that has seen some frames of a head that moves."""
    matcher = GrainMatcher()
    for i in range(count):
        frame = grainy(frame=i, shift=speed * i, **values)  # type: ignore[arg-type]
        matcher.observe("key", look(frame, face(i, speed * i)))
    return matcher


def pasted(frame: Frame, noise: Grain | None) -> Frame:
    """A flat patch over the face."""
    patch = blend.cut(frame, face(), CropSpec(64, "face"))
    mask = np.zeros((1, 64, 64), dtype=np.float32)
    mask[:, 4:-4, 4:-4] = 1
    return blend.paste(frame, Patch(np.full_like(patch.pixels, 0.5), mask, patch.patch_from_frame), noise)


def inside_and_outside(frame: Frame, plane: int) -> list[NDArray[np.float64]]:
    """Noise levels in the middle of the pasted face, and left of it, in 8-bit codes."""
    values = frame.planes[plane].astype(np.float32) / 2 ** (frame.color.bit_depth - 8)
    scale = frame.planes[0].shape[0] // values.shape[0]
    parts = [values[y0 // scale : y1 // scale, x0 // scale : x1 // scale] for y0, y1, x0, x1 in PLACES]
    return [noise_levels(part, np.ones(part.shape, bool), 3) for part in parts]


PLACES = ((100, 196, 152, 248), (100, 196, 4, 100))
FORMATS = ("yuv420p", "yuv420p10le", "yuv444p")


@pytest.mark.parametrize("pix_fmt", FORMATS)
@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("blur", [0.0, 0.5, 0.8])
def test_face_has_the_grain_that_is_around_it(sigma: float, blur: float, pix_fmt: str) -> None:
    """The figure of the design: inside over outside, 0.9 to 1.1, at full and at half resolution."""
    ratios = []
    for i in range(10, 16):
        frame = grainy(sigma, blur, pix_fmt, frame=i)
        noise = learnt(sigma=sigma, blur=blur, pix_fmt=pix_fmt).grain_of("key", i, face(i)) if not ratios else None
        noise = noise or Grain(GRAINS[-1].planes, i, GRAINS[-1].chroma_shift)
        GRAINS.append(noise)
        inside, outside = inside_and_outside(pasted(frame, noise), 0)
        ratios.append(inside / outside)
    full, half, _ = np.mean(ratios, axis=0)
    assert 0.9 <= half <= 1.1
    if blur < 0.8:  # there the fine part is what rounding to codes leaves
        assert 0.9 <= full <= 1.1
    GRAINS.clear()


GRAINS: list[Grain] = []


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize(("sigma", "blur"), [(5.0, 1.0), (6.0, 1.6)])
def test_coarse_grain_comes_out_at_full_strength(sigma: float, blur: float, pix_fmt: str) -> None:
    noise = learnt(sigma=sigma, blur=blur, pix_fmt=pix_fmt, count=16).grain_of("key", 20, face())
    assert noise is not None
    ratios = []
    for seed in range(6):
        inside, outside = inside_and_outside(
            pasted(grainy(sigma, blur, pix_fmt, frame=20), replace(noise, seed=seed)), 0
        )
        ratios.append(inside / outside)
    _, half, quarter = np.mean(ratios, axis=0)
    assert 0.85 <= half <= 1.15
    assert 0.85 <= quarter <= 1.15


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_grain_of_colour_is_matched_too(pix_fmt: str) -> None:
    noise = learnt(sigma=3.0, chroma=2.0, pix_fmt=pix_fmt).grain_of("key", 20, face())
    assert noise is not None
    for plane in (1, 2):
        ratios = []
        for i in range(16):
            frame = grainy(3.0, 0.0, pix_fmt, frame=20 + i, chroma=2.0)
            inside, outside = inside_and_outside(pasted(frame, replace(noise, seed=i)), plane)
            ratios.append(inside[:2] / outside[:2])
        assert np.all(np.abs(np.mean(ratios, axis=0) - 1) <= 0.1), plane


def test_grain_of_luma_alone_adds_none_to_chroma() -> None:
    frame = grainy(3.0)
    noise = learnt(sigma=3.0).grain_of("key", 0, face())
    assert noise is not None
    with_grain, without = pasted(frame, noise), pasted(frame, None)
    for plane in (1, 2):
        np.testing.assert_array_equal(with_grain.planes[plane], without.planes[plane])


def test_texture_of_the_skin_is_not_taken_for_grain() -> None:
    assert learnt(sigma=0.0, texture=6.0).grain_of("key", 0, face()) is None
    without, with_it = (learnt(sigma=3.0, texture=t).grain_of("key", 0, face()) for t in (0.0, 5.0))
    assert without is not None
    assert with_it is not None
    levels = [np.sqrt(sum(of * of for _, of in noise.planes[0])) for noise in (without, with_it)]
    assert levels[1] < 1.4 * levels[0]  # 3.1 times as much, if all of it were taken for grain


def test_texture_is_what_comes_along_with_the_face() -> None:
    frames = [grainy(0.5, texture=6.0, frame=i, shift=1.3 * i) for i in range(2)]
    seen = [look(frame, face(i, 1.3 * i)) for i, frame in enumerate(frames)]
    share = shared_texture(*seen)
    assert share is not None
    assert share[0] == 0
    assert share[1] > 0.7
    grain = [look(grainy(6.0, 1.2, frame=i), face(i)) for i in range(2)]
    share = shared_texture(*grain)
    assert share is not None
    assert share[1] < 0.2
    assert shared_texture(seen[0], replace(seen[1], frame=7)) is None


def test_clean_footage_gets_no_grain() -> None:
    matcher = learnt(sigma=0.0)
    assert matcher.grain_of("key", 0, face()) is None
    assert matcher.grain_of("other", 0, face()) is None


def test_grain_follows_from_frame_and_track_alone() -> None:
    frame = grainy(3.0)
    noise = Grain((((0, 0.01), (4, 0.01)),), seed=5)
    first, again, other = (pasted(frame, each) for each in (noise, noise, replace(noise, seed=6)))
    np.testing.assert_array_equal(first.planes[0], again.planes[0])
    assert (first.planes[0] != other.planes[0]).mean() > 0.05
    matcher = learnt(sigma=3.0)
    seeds = {matcher.grain_of("key", number, face()).seed for number in range(5)}  # type: ignore[union-attr]
    assert len(seeds) == 5


def test_grain_stays_inside_the_mask() -> None:
    frame = grainy(3.0)
    with_grain, without = pasted(frame, Grain((((0, 0.02),),) * 3, seed=1)), pasted(frame, None)
    for plane, (old, new) in enumerate(zip(frame.planes, with_grain.planes, strict=True)):
        assert (new != without.planes[plane]).mean() > 0.05
        rows = slice(40 >> min(plane, 1), 240 >> min(plane, 1))
        untouched = without.planes[plane] == old
        untouched[rows] = False  # rows that the mask reaches
        np.testing.assert_array_equal(new[untouched], old[untouched])


def test_strength_is_steady_over_time() -> None:
    matcher, strengths = GrainMatcher(), []
    for i in range(40):
        matcher.observe("key", look(grainy(3.0, frame=i), face(i)))
        noise = matcher.grain_of("key", i, face(i))
        assert noise is not None
        strengths.append(np.sqrt(sum(of * of for _, of in noise.planes[0])))
    assert np.std(strengths[10:]) < 0.05 * np.mean(strengths)


def test_a_face_too_small_to_tell_is_passed_over() -> None:
    seen = look(grainy(3.0), face_at(200, 120, 5))
    assert np.isnan(seen.levels[0]).all()
    assert seen.fine == 0
    matcher = GrainMatcher()
    matcher.observe("key", seen)
    assert matcher.grain_of("key", 0, face()) is None


@pytest.mark.parametrize("blur", [0.0, 0.45, 0.6, 0.9, 1.1, 1.4, 1.8])
def test_fitted_noise_reads_like_what_it_stands_for(blur: float) -> None:
    everywhere = np.ones((512, 512), bool)
    truth = noise_levels(noise_of((512, 512), 0.02, blur, 1), everywhere, 3)
    made = Grain((fitted(truth**2),), seed=3).codes((512, 512), noise_frame("yuv420p", SIZE))
    assert made is not None
    np.testing.assert_allclose(noise_levels(made / 219, everywhere, 3), truth, rtol=0.08)


def test_unknown_levels_are_left_out_of_the_fit() -> None:
    assert fitted(np.array([1e-4, 0.25e-4, np.nan]))[0][0] == 0


def test_noise_of_finer_chroma_is_the_footages_own_enlarged() -> None:
    """The overlay has chroma in full: it carries the same noise as the clip."""
    noise = Grain(((), ((0, 0.02),), ()), seed=2, chroma_shift=(1, 1))
    own = noise.codes((40, 60), noise_frame("yuv420p", SIZE), 1)
    full = noise.codes((80, 120), noise_frame("yuv444p", SIZE), 1)
    assert own is not None
    assert full is not None
    small = cv2.resize(full, (60, 40), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), own.ravel())[0, 1] > 0.9
    assert noise.codes((40, 60), noise_frame("yuv420p", SIZE), 0) is None


def test_what_is_seen_has_its_shapes() -> None:
    seen = look(grainy(3.0), face())
    assert isinstance(seen, GrainSeen)
    assert seen.levels.shape == (3, 3)
    assert look(grainy(3.0, pix_fmt="gbrp"), face()).levels.shape == (1, 3)
