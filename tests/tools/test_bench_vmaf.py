from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from clips import gradient_picture, make_clip

from faceswap.errors import UsageError

pytest.importorskip("imageio_ffmpeg", reason="the extra `ffmpeg` is not installed")

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench" / "vmaf.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_vmaf", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def detailed(frame: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3)).astype(np.uint8)
    return gradient_picture((120, 160), frame) // 2 + noise


def test_vmaf_tells_a_good_copy_from_a_bad_one(tmp_path: Path, bench: ModuleType) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=8, picture=detailed)
    good = make_clip(tmp_path / "-good.mp4", num_frames=8, picture=detailed, options={"crf": "20"})
    bad = make_clip(tmp_path / "bad.mp4", num_frames=8, picture=lambda i: cv2.GaussianBlur(detailed(i), (0, 0), 3))
    assert bench.vmaf(clip, clip) > 95
    assert bench.vmaf(clip, good) > 70
    assert bench.vmaf(clip, bad) < bench.vmaf(clip, good) - 20


def test_clips_that_cannot_be_compared_are_refused(tmp_path: Path, bench: ModuleType) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=3)
    with pytest.raises(UsageError, match="cannot be compared"):
        bench.vmaf(clip, make_clip(tmp_path / "small.mp4", num_frames=3, size=(60, 80)))
