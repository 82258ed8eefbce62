from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import make_clip

from faceswap.media.hardware import why_not_on_gpu
from faceswap.media.reader import VideoReader


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_machine_without_a_gpu_says_in_a_sentence_that_the_cpu_decodes(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size=(96, 128))
    assert str(why_not_on_gpu(VideoReader(clip).info)).startswith("the clip is decoded on the CPU: the GPU cannot (")


@pytest.mark.gpu
def test_gpu_decodes_the_same_samples_at_the_same_times(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size=(160, 256))
    reason = why_not_on_gpu(VideoReader(clip).info)
    if reason is not None:
        pytest.skip(reason)
    pairs = list(zip(VideoReader(clip), VideoReader(clip, on_gpu=True), strict=True))
    for a, b in pairs:
        assert (a.time, a.duration) == (b.time, b.duration)
        assert all(np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))
