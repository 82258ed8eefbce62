from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from makers import face_at, noise_frame, smooth_noise
from numpy.typing import NDArray

from faceswap import color, geometry, masks
from faceswap.convert.blend import cut, paste, paste_reference
from faceswap.errors import ShapeError
from faceswap.faces.align import canonical_landmarks
from faceswap.types import CropSpec, Face, Frame, Patch

FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "gbrp"]
SIZES = [(160, 200), (161, 203)]
CROP = CropSpec(64, "face")
FACE = face_at(98, 60, 24, angle=0.2)


def patch_for(face: Face, crop: CropSpec = CROP, *, feather: float = 6, seed: int = 99) -> Patch:
    """Return soft noise under the mask that a conversion would use."""
    mask = masks.shape_edge(masks.face_hull(canonical_landmarks(face), crop), erode=0, feather=feather)
    pixels = smooth_noise((crop.size, crop.size), seed).transpose(2, 0, 1)
    matrix = geometry.compose(geometry.patch_from_canonical(crop), geometry.invert(face.frame_from_canonical))
    return Patch(np.ascontiguousarray(pixels), mask, matrix)


def flat_patch(codes: tuple[float, ...], frame: Frame, alpha: float) -> Patch:
    """Return one colour (given in the frame's code values) with one alpha all over but the border."""
    pixels = np.broadcast_to(np.array(codes, np.float32).reshape(3, 1, 1), (3, 64, 64))
    mask = np.full((1, 64, 64), alpha, dtype=np.float32)
    rgb = color.transform(np.ascontiguousarray(pixels), color.rgb_from_codes(frame.color))
    return Patch(rgb, masks.with_clean_support(mask), patch_for(FACE).patch_from_frame)


def replace_pixels(patch: Patch, pixels: NDArray) -> Patch:
    return Patch(pixels, patch.mask, patch.patch_from_frame)


def far_from_mask(plane: NDArray, frame: Frame, patch: Patch) -> NDArray[np.bool_]:
    """Return the samples of a plane whose place in the patch is outside the support of the mask by 2 px or more."""
    assert patch.mask is not None
    scale = np.array([frame.planes[0].shape[1] / plane.shape[1], frame.planes[0].shape[0] / plane.shape[0]])
    y, x = np.indices(plane.shape) + 0.5
    places = geometry.apply(patch.patch_from_frame, np.stack([x.ravel(), y.ravel()], axis=1) * np.round(scale))
    rows, columns = np.nonzero(patch.mask[0])
    low, high = np.array([columns.min(), rows.min()]) - 2, np.array([columns.max(), rows.max()]) + 3
    return ((places < low) | (places > high)).any(axis=1).reshape(plane.shape)


@pytest.mark.parametrize("size", SIZES, ids=["even", "odd"])
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_paste_changes_nothing_outside_the_mask(pix_fmt: str, size: tuple[int, int]) -> None:
    frame = noise_frame(pix_fmt, size)
    patch = patch_for(FACE)
    pasted = paste(frame, patch)
    for before, after in zip(frame.planes, pasted.planes, strict=True):
        assert after.dtype == before.dtype
        outside = far_from_mask(before, frame, patch)
        assert 0.3 < outside.mean() < 0.95
        np.testing.assert_array_equal(after[outside], before[outside])
        assert (after != before).mean() > 0.02


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_paste_leaves_its_input_alone(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt)
    before = [plane.copy() for plane in frame.planes]
    paste(frame, patch_for(FACE))
    for plane, copy in zip(frame.planes, before, strict=True):
        np.testing.assert_array_equal(plane, copy)


@pytest.mark.parametrize("size", SIZES, ids=["even", "odd"])
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_paste_agrees_with_the_reference(pix_fmt: str, size: tuple[int, int]) -> None:
    frame = noise_frame(pix_fmt, size)
    # Patch px larger than the samples of every plane: nothing is area-filtered, as the reference never does.
    face = face_at(98, 60, 45, angle=0.2)
    patch = replace_pixels(patch_for(face), smooth_noise((64, 64), 5, blur=6).transpose(2, 0, 1))
    step = 2 ** (frame.color.bit_depth - 8)
    fast, slow = paste(frame, patch), paste_reference(frame, patch)
    for a, b in zip(fast.planes, slow.planes, strict=True):
        difference = np.abs(a.astype(int) - b.astype(int))
        assert difference.max() <= 2 * step  # cubic here, bilinear there
        assert difference.mean() <= 0.1 * step


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
def test_paste_that_shrinks_the_patch_agrees_with_the_reference_on_soft_pictures(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt, (160, 200))
    patch = replace_pixels(patch_for(FACE), smooth_noise((64, 64), 5, blur=8).transpose(2, 0, 1))
    step = 2 ** (frame.color.bit_depth - 8)
    fast, slow = paste(frame, patch), paste_reference(frame, patch)
    for a, b in zip(fast.planes, slow.planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).mean() <= 0.3 * step


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_hard_edge_of_the_patch_is_as_wide_as_the_reference_makes_it(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt, (240, 300))
    patch = patch_for(face_at(150, 100, 60))
    pixels = smooth_noise((64, 64), 5, blur=6).transpose(2, 0, 1)
    hard = Patch(pixels, np.ones((1, 64, 64), dtype=np.float32), patch.patch_from_frame)
    step = 2 ** (frame.color.bit_depth - 8)
    for a, b in zip(paste(frame, hard).planes, paste_reference(frame, hard).planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 2 * step


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_pasting_back_what_was_cut_changes_almost_nothing(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt, (240, 300))
    face = face_at(150, 100, 40, angle=-0.15)
    crop = CropSpec(256, "face")  # about two patch px per luma px
    patch = cut(frame, face, crop)
    back = paste(frame, Patch(patch.pixels, patch_for(face, crop, feather=20).mask, patch.patch_from_frame))
    step = 2 ** (frame.color.bit_depth - 8)
    for before, after in zip(frame.planes, back.planes, strict=True):
        difference = np.abs(after.astype(int) - before.astype(int))
        assert difference.max() <= 3 * step
        assert difference.mean() <= 0.3 * step


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_half_alpha_gives_the_midpoint(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt)
    step = 2 ** (frame.color.bit_depth - 8)
    levels = (100 * step, 110 * step, 120 * step)
    flat = tuple(np.full_like(plane, level) for plane, level in zip(frame.planes, levels, strict=True))
    frame = replace(frame, planes=flat)
    pasted = paste(frame, flat_patch((140 * step, 130 * step, 128 * step), frame, 0.5))
    centre = geometry.apply(geometry.invert(patch_for(FACE).patch_from_frame), np.array([[32.0, 32.0]]))[0]
    for i, (plane, expected) in enumerate(zip(pasted.planes, (120, 120, 124), strict=True)):
        shift = frame.layout.chroma_shift if i else (0, 0)
        row, column = int(centre[1]) >> shift[0], int(centre[0]) >> shift[1]
        assert abs(int(plane[row, column]) - expected * step) <= 1


def test_full_alpha_replaces_the_samples() -> None:
    frame = noise_frame("yuv444p")
    pasted = paste(frame, flat_patch((150, 120, 135), frame, 1.0))
    x, y = geometry.apply(geometry.invert(patch_for(FACE).patch_from_frame), np.array([[32.0, 32.0]]))[0]
    assert [int(plane[int(y), int(x)]) for plane in pasted.planes] == [150, 120, 135]


def test_empty_mask_gives_the_same_frame() -> None:
    frame = noise_frame()
    assert paste(frame, flat_patch((100, 100, 100), frame, 0.0)) is frame


def test_patch_without_mask_is_refused() -> None:
    frame = noise_frame()
    with pytest.raises(ShapeError, match="mask"):
        paste(frame, cut(frame, FACE, CROP))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (198, 5), (199, 159), (-8, 80)])
def test_face_at_the_edge_of_the_picture_is_pasted_as_far_as_it_reaches(x: float, y: float) -> None:
    frame = noise_frame("yuv420p", (160, 200))
    face = face_at(x, y, 45)
    patch = replace_pixels(patch_for(face), smooth_noise((64, 64), 5, blur=6).transpose(2, 0, 1))
    fast, slow = paste(frame, patch), paste_reference(frame, patch)
    assert any((a != b).any() for a, b in zip(fast.planes, frame.planes, strict=True))
    for a, b in zip(fast.planes, slow.planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 2


def test_face_outside_the_picture_changes_nothing() -> None:
    frame = noise_frame()
    pasted = paste(frame, patch_for(face_at(1000, 1000, 24)))
    for before, after in zip(frame.planes, pasted.planes, strict=True):
        np.testing.assert_array_equal(after, before)


def test_further_planes_are_kept() -> None:
    frame = noise_frame("yuv444p")
    alpha = np.arange(96 * 128, dtype=np.uint8).reshape(96, 128)
    pasted = paste(replace(frame, planes=(*frame.planes, alpha)), patch_for(FACE))
    assert pasted.planes[3] is alpha


def test_bright_patches_stop_at_the_largest_code() -> None:
    frame = noise_frame("yuv444p")
    patch = flat_patch((300, 300, -40), frame, 1.0)
    pasted = paste(frame, patch)
    assert pasted.planes[0].max() == 255
    assert pasted.planes[2].min() == 0


def test_cut_shows_the_frames_colours() -> None:
    frame = noise_frame("yuv444p", (160, 200))
    patch = cut(frame, FACE, CROP)
    assert patch.pixels.shape == (3, 64, 64)
    assert patch.mask is None
    codes = color.transform(patch.pixels, color.codes_from_rgb(frame.color))
    x, y = geometry.apply(geometry.invert(patch.patch_from_frame), np.array([[32.5, 32.5]]))[0]
    assert codes[0, 32, 32] == pytest.approx(float(frame.planes[0][int(y), int(x)]), abs=4)
