"""The Triton kernels against their references in torch; without a GPU they are interpreted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from device_cases import crop_all, paste_all, patch_of, planes_of
from makers import face_at, noise_frame

from faceswap.convert.device.kernels import kernels_for, torch_kernels, triton_kernels
from faceswap.convert.device.planes import DevicePlanes
from faceswap.convert.grain import Grain

pytest.importorskip("triton")

FACES = {
    "turned": face_at(60, 40, 16, angle=0.5),
    "large": face_at(70, 40, 30, angle=0.2),
    "small": face_at(60, 50, 6, angle=0.1),
    "over the corner": face_at(128, 5, 25, angle=0.3),
}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gbrp"])
def test_crop_kernel_is_its_reference(pix_fmt: str, face) -> None:
    frame = noise_frame(pix_fmt)
    planes = planes_of([frame], DEVICE)
    expected = crop_all([frame], [(0, face)], 24)
    found = crop_all([frame], [(0, face)], 24, planes=planes, function=triton_kernels().crop)
    assert np.abs(found - expected).max() <= 2e-5


@pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
def test_paste_kernel_is_its_reference(pix_fmt: str, face) -> None:
    frame, patch = noise_frame(pix_fmt), patch_of(face, 24, feather=3, blur=1.5)
    (expected,) = paste_all([frame], [(0, patch)], noise=3.0)
    (found,) = paste_all([frame], [(0, patch)], noise=3.0, function=triton_kernels().paste, device=DEVICE)
    for before, a, b in zip(frame.planes, found.planes, expected.planes, strict=True):
        assert (b != before).any()
        difference = np.abs(a.astype(int) - b.astype(int))
        assert difference.max() <= 1  # a rounding may fall the other way
        assert (difference > 0).mean() <= 0.001


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gbrp"])
def test_paste_kernel_lays_grain_on_as_its_reference(pix_fmt: str) -> None:
    frame, patch = noise_frame(pix_fmt), patch_of(FACES["turned"], 24, feather=9, blur=1.5)
    grain = Grain((((0, 0.04),), ((2, 0.03),), ()), seed=3, chroma_shift=(1, 1))
    (plain,), (expected,) = (paste_all([frame], [(0, patch)], grain=each) for each in (None, grain))
    (found,) = paste_all([frame], [(0, patch)], grain=grain, function=triton_kernels().paste, device=DEVICE)
    assert (expected.planes[0] != plain.planes[0]).mean() > 0.05
    for a, b in zip(found.planes, expected.planes, strict=True):
        difference = np.abs(a.astype(int) - b.astype(int))
        assert difference.max() <= 1
        assert (difference > 0).mean() <= 0.001


def test_paste_kernel_enlarges_as_its_reference() -> None:
    frame, patch = noise_frame("yuv420p"), patch_of(face_at(64, 40, 60, angle=0.2), 16, feather=2, blur=1.5)
    (expected,), (found,) = (
        paste_all([frame], [(0, patch)]),
        paste_all([frame], [(0, patch)], function=triton_kernels().paste, device=DEVICE),
    )
    for a, b in zip(found.planes, expected.planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1
        assert (a != b).mean() <= 0.001


def test_kernels_take_many_faces_of_many_frames() -> None:
    frames = [noise_frame("yuv420p", seed=i) for i in range(3)]
    where = [(2, FACES["turned"]), (0, FACES["small"]), (1, FACES["large"])]
    planes = planes_of(frames, DEVICE)
    expected, found = (
        crop_all(frames, where, 16),
        crop_all(frames, where, 16, planes=planes, function=triton_kernels().crop),
    )
    assert np.abs(found - expected).max() <= 2e-5
    patches = [(i, patch_of(face, 16, feather=2, seed=i)) for i, face in where]
    expected_frames = paste_all(frames, patches)
    found_frames = paste_all(frames, patches, function=triton_kernels().paste, device=DEVICE)
    for a, b in zip(found_frames, expected_frames, strict=True):
        assert all(np.abs(x.astype(int) - y.astype(int)).max() <= 1 for x, y in zip(a.planes, b.planes, strict=True))


def test_crop_kernel_reads_interleaved_chroma() -> None:
    frame = noise_frame()
    apart = planes_of([frame], DEVICE)
    chroma = torch.stack(apart.planes[1:], dim=-1)
    interleaved = DevicePlanes.of_interleaved(apart.planes[0], chroma, frame.layout, frame.color)
    where, crop = [(0, FACES["turned"])], triton_kernels().crop
    assert np.array_equal(
        crop_all([frame], where, 16, planes=apart, function=crop),
        crop_all([frame], where, 16, planes=interleaved, function=crop),
    )


def test_paste_kernel_rounds_halves_to_even() -> None:
    frame = noise_frame("yuv444p")
    patch = patch_of(face_at(64, 40, 20), 24)
    half = type(patch)(np.full_like(patch.pixels, 0.5), np.full_like(patch.mask, 0.5), patch.patch_from_frame)
    (expected,) = paste_all([frame], [(0, half)])
    (found,) = paste_all([frame], [(0, half)], function=triton_kernels().paste, device=DEVICE)
    share = np.mean([np.mean(a != b) for a, b in zip(found.planes, expected.planes, strict=True)])
    assert share <= 0.001


def test_the_cpu_takes_the_references() -> None:
    assert kernels_for(torch.device("cpu")) == torch_kernels()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Triton's compiler comes for Linux")
def test_kernels_compile_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    env |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    script = Path(__file__).with_name("compile_kernels.py")
    result = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.count("\n") == 12
