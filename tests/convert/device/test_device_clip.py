"""Whole conversions on the device path, against those of the CPU: the device's calls, run on the CPU.

An untrained network's face is at the thresholds of the search for occluders everywhere, so that is off here; see `test_mask`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import tiny_model

from faceswap.convert import workers
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.media.reader import VideoReader

SIZE = (120, 160)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


def picture(frame: int) -> np.ndarray:
    return astronaut_picture(SIZE, 6 * np.sin(frame / 4))


@pytest.mark.parametrize(
    ("clip", "config"),
    [
        ({"pix_fmt": "yuv420p"}, {"codec": "ffv1"}),
        ({"pix_fmt": "yuv422p10le", "codec": "ffv1"}, {"codec": "ffv1", "match_over": "shot"}),
        ({"pix_fmt": "yuv420p"}, {"codec": "ffv1", "interlaced": "tff"}),
    ],
    ids=["8 bit", "10 bit", "interlaced"],
)
def test_clips_are_those_of_the_cpu(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: dict, config: dict
) -> None:
    source = make_clip(tmp_path / "clip.mkv", size=SIZE, num_frames=12, picture=picture, **clip)
    results = []
    for is_on_device in (False, True):
        monkeypatch.setattr(workers, "choose", lambda *_, chosen=is_on_device: (chosen, None))
        output = tmp_path / f"{is_on_device}.mkv"
        settings = ConvertConfig.model_validate({"grain": "off", "figures": False, "occlusion": "off", **config})
        report = convert_clip(source, model, output, to="anna", config=settings, device="cpu")
        assert report.faces == 12
        results.append(list(VideoReader(output)))
    step = 2 ** (results[0][0].color.bit_depth - 8)
    originals = list(VideoReader(source))
    for before, expected, found in zip(originals, *results, strict=True):
        assert (found.planes[0] != before.planes[0]).mean() > 0.03
        for a, b in zip(found.planes, expected.planes, strict=True):
            difference = np.abs(a.astype(int) - b)
            assert difference.max() <= 6 * step
            assert difference.mean() <= 0.05 * step
