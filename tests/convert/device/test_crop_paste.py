"""Crop and paste in torch against the functions on the CPU that they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from device_cases import CPU, crop_all, frame_of, paste_all, patch_of, planes_of
from makers import face_at, noise_frame

from faceswap.convert import blend
from faceswap.convert.device.planes import DevicePlanes
from faceswap.convert.grain import Grain
from faceswap.errors import ShapeError
from faceswap.types import CropSpec

FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p16le", "gbrp", "gbrp12le"]
FACES = {
    "as large": face_at(98, 60, 22),
    "turned": face_at(98, 60, 24, angle=0.5),
    "on its head": face_at(98, 80, 24, angle=3.0),
    "large": face_at(150, 120, 75, angle=-0.2),
    "small": face_at(60, 50, 9, angle=0.1),
    "over the corner": face_at(198, 5, 45, angle=0.3),
    "over the left edge": face_at(-8, 80, 60),
}
CROP_TOLERANCE = 1.5 / 255
"""Largest difference of a crop, of the whole range: OpenCV places samples to 1/32 px."""


@pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_crop_is_that_of_the_cpu(pix_fmt: str, face) -> None:
    frame = noise_frame(pix_fmt, (240, 300))
    expected = blend.cut(frame, face, CropSpec(64, "face")).pixels
    (found,) = crop_all([frame], [(0, face)], 64)
    assert np.abs(found - expected).max() <= CROP_TOLERANCE
    assert np.abs(found - expected).mean() <= 0.1 / 255


@pytest.mark.parametrize("siting", ["left", "center", "topleft", "bottom", "left, lower field"])
def test_crop_knows_where_chroma_samples_lie(siting: str) -> None:
    frame = noise_frame("yuv420p", (160, 200))
    frame = replace(frame, color=replace(frame.color, siting=siting))
    face = FACES["as large"]
    (found,) = crop_all([frame], [(0, face)], 64)
    assert np.abs(found - blend.cut(frame, face, CropSpec(64, "face")).pixels).max() <= CROP_TOLERANCE


@pytest.mark.parametrize(("matrix", "full_range"), [("bt601", False), ("bt2020", True), ("fcc", False)])
def test_crop_reads_matrix_and_range(matrix: str, full_range: bool) -> None:
    frame = noise_frame("yuv422p10le", (160, 200))
    frame = replace(frame, color=replace(frame.color, matrix=matrix, full_range=full_range))
    face = FACES["turned"]
    (found,) = crop_all([frame], [(0, face)], 64)
    assert np.abs(found - blend.cut(frame, face, CropSpec(64, "face")).pixels).max() <= CROP_TOLERANCE


@pytest.mark.parametrize("size", [(161, 203), (97, 131)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    frame, face = noise_frame("yuv420p", size), face_at(60, 45, 20, angle=0.2)
    (found,) = crop_all([frame], [(0, face)], 64)
    assert np.abs(found - blend.cut(frame, face, CropSpec(64, "face")).pixels).max() <= CROP_TOLERANCE


def test_faces_of_a_batch_come_from_their_own_frames() -> None:
    frames = [noise_frame("yuv420p", (160, 200), seed=i) for i in range(3)]
    where = [(2, FACES["as large"]), (0, FACES["turned"]), (2, FACES["over the corner"])]
    for (number, face), found in zip(where, crop_all(frames, where, 64), strict=True):
        expected = blend.cut(frames[number], face, CropSpec(64, "face")).pixels
        assert np.abs(found - expected).max() <= CROP_TOLERANCE


def test_interleaved_chroma_gives_the_same_crop() -> None:
    frame = noise_frame("yuv420p", (160, 200))
    apart = planes_of([frame])
    together = torch.stack(apart.planes[1:], dim=-1)
    interleaved = DevicePlanes.of_interleaved(apart.planes[0], together, frame.layout, frame.color)
    where = [(0, FACES["turned"])]
    assert np.array_equal(crop_all([frame], where, 64), crop_all([frame], where, 64, planes=interleaved))
    with pytest.raises(ShapeError, match="interleaved"):
        DevicePlanes.of_interleaved(apart.planes[0], together[:, 1:], frame.layout, frame.color)


def test_ten_bits_at_the_top_of_sixteen_mean_the_same() -> None:
    frame = noise_frame("yuv420p10le", (160, 200))
    shifted = tuple((plane.astype(np.uint16) << 6) for plane in frame.planes)
    p010 = replace(frame, planes=shifted, color=replace(frame.color, bit_depth=16))
    where = [(0, FACES["turned"])]
    assert np.allclose(crop_all([frame], where, 64), crop_all([p010], where, 64), atol=1e-5)


def step_of(frame) -> int:
    return 2 ** (frame.color.bit_depth - 8)


@pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_paste_is_that_of_the_cpu(pix_fmt: str, face) -> None:
    frame = noise_frame(pix_fmt, (240, 300))
    patch = patch_of(face, blur=6)
    expected = blend.paste(frame, patch)
    found = paste_all([frame], [(0, patch)])[0]
    for before, a, b in zip(frame.planes, found.planes, expected.planes, strict=True):
        difference = np.abs(a.astype(int) - b.astype(int))
        assert difference.max() <= 1 * step_of(frame) + 1
        assert difference.mean() <= 0.02 * step_of(frame)
        assert a.dtype == before.dtype


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
def test_fine_patches_are_pasted_as_on_the_cpu_where_nothing_shrinks(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt, (480, 560))
    patch = patch_of(face_at(270, 200, 100, angle=0.3), blur=0.7)
    expected = blend.paste(frame, patch)
    found = paste_all([frame], [(0, patch)])[0]
    for a, b in zip(found.planes, expected.planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 3 * step_of(frame)  # OpenCV's 1/32 px on steep places
        assert np.abs(a.astype(int) - b.astype(int)).mean() <= 0.05 * step_of(frame)


@pytest.mark.parametrize("iod", [150, 420])
def test_much_enlarged_patches_are_pasted_as_on_the_cpu(iod: float) -> None:
    frame = noise_frame("yuv420p", (480, 560))
    patch = patch_of(face_at(280, 150, iod, angle=0.3), 48)
    (found,), expected = paste_all([frame], [(0, patch)]), blend.paste(frame, patch)
    for a, b in zip(found.planes, expected.planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1
        assert np.abs(a.astype(int) - b.astype(int)).mean() <= 0.02


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_nothing_changes_where_the_mask_does_not_reach(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt, (240, 300))
    patch = patch_of(FACES["turned"])
    found, expected = paste_all([frame], [(0, patch)])[0], blend.paste(frame, patch)
    for before, a, b in zip(frame.planes, found.planes, expected.planes, strict=True):
        untouched = before == b
        assert 0.3 < untouched.mean() < 0.98
        changed_there = (a != before) & untouched
        assert changed_there.mean() < 0.002  # a rounding that falls the other way, inside the mask
        alpha = blend.alpha_of(frame.size, [patch])
        if a.shape == alpha.shape:
            assert np.array_equal(a[alpha == 0], before[alpha == 0])


def test_empty_mask_changes_nothing() -> None:
    frame = noise_frame()
    patch = replace(patch_of(FACES["small"]), mask=np.zeros((1, 64, 64), np.float32))
    found = paste_all([frame], [(0, patch)])[0]
    assert all(np.array_equal(a, b) for a, b in zip(frame.planes, found.planes, strict=True))


def test_patch_outside_the_picture_changes_nothing() -> None:
    frame = noise_frame()
    found = paste_all([frame], [(0, patch_of(face_at(1000, 1000, 24)))])[0]
    assert all(np.array_equal(a, b) for a, b in zip(frame.planes, found.planes, strict=True))


def test_bound_of_the_mask_keeps_the_picture() -> None:
    frame, patch = noise_frame("yuv420p", (240, 300)), patch_of(FACES["turned"])
    rows, columns = np.nonzero(patch.mask[0])
    bound = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    tight = paste_all([frame], [(0, patch)], bounds=[bound])[0]
    wide = paste_all([frame], [(0, patch)])[0]
    assert all(np.array_equal(a, b) for a, b in zip(tight.planes, wide.planes, strict=True))


def test_bright_patches_stop_at_the_largest_code() -> None:
    frame = noise_frame("yuv444p10le")
    patch = patch_of(face_at(64, 40, 20))
    patch = replace(patch, pixels=np.full_like(patch.pixels, 1.5))
    assert paste_all([frame], [(0, patch)])[0].planes[0].max() == 1023


def test_noise_is_laid_over_its_own_planes() -> None:
    frame, patch = noise_frame("yuv420p", (240, 300)), patch_of(FACES["as large"])
    plain, noisy = (paste_all([frame], [(0, patch)], noise=noise)[0] for noise in (None, 8.0))
    centre = plain.planes[0][55:75, 90:106].astype(int), noisy.planes[0][55:75, 90:106].astype(int)
    assert np.abs(centre[1] - centre[0] - 8).max() <= 1
    assert np.array_equal(plain.planes[1], noisy.planes[1])
    assert not np.array_equal(plain.planes[2], noisy.planes[2])


GRAIN = Grain((((0, 0.03), (5, 0.02)), ((3, 0.02),), ((0, 0.02),)), seed=7, chroma_shift=(1, 1))


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "gbrp"])
def test_grain_is_laid_on_as_on_the_cpu(pix_fmt: str) -> None:
    """Over the whole of a soft mask: the mask's own bound gives both paths one rectangle, and so the very same noise."""
    frame, patch = noise_frame(pix_fmt, (240, 300)), patch_of(FACES["as large"], feather=20)
    rows, columns = np.nonzero(patch.mask[0])
    bound = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    plain, expected = blend.paste(frame, patch), blend.paste(frame, patch, GRAIN)
    (found,) = paste_all([frame], [(0, patch)], bounds=[bound], grain=GRAIN)
    for clean, a, b in zip(plain.planes, found.planes, expected.planes, strict=True):
        assert np.abs(b.astype(int) - clean).max() > 5 * step_of(frame)
        difference = np.abs(a.astype(int) - b.astype(int))
        assert difference.max() <= step_of(frame) + 1
        assert difference.mean() <= 0.02 * step_of(frame)


def test_grain_is_stronger_than_the_mask_where_two_grains_show_through() -> None:
    frame, patch = noise_frame("yuv444p", (240, 300)), patch_of(FACES["as large"])
    half = replace(patch, mask=np.full_like(patch.mask, 0.5))
    plain, noisy = (paste_all([frame], [(0, half)], noise=noise)[0] for noise in (None, 20.0))
    added = noisy.planes[0][55:75, 90:106].astype(int) - plain.planes[0][55:75, 90:106]
    assert np.abs(added - 20 * np.sqrt(0.75)).max() <= 1


def test_frames_come_back_from_the_device_as_they_went() -> None:
    frames = [noise_frame("yuv420p10le", (97, 131), seed=i) for i in range(2)]
    planes = planes_of(frames)
    assert planes.device == CPU
    for i, frame in enumerate(frames):
        again = frame_of(planes, i, frame)
        assert all(np.array_equal(a, b) for a, b in zip(again.planes, frame.planes, strict=True))
