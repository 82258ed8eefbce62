"""Clips converted with models of other programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector, tiny_consent
from onnx_files import pixel_reader, write
from swap_files import DIM, write_dfm, write_inswapper

from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.consent_store import ConsentStore
from faceswap.provenance.verify import verify_clip

SIZE = (160, 200)
PLAIN = {
    "codec": "ffv1",
    "match": "none",
    "light": 0,
    "sharpness": 0,
    "grain": "off",
    "occlusion": "off",
    "figures": False,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "in.mkv"
    return make_clip(path, size=SIZE, num_frames=4, codec="ffv1", picture=lambda i: astronaut_picture(SIZE, 2.0 * i))


@pytest.fixture(scope="module", autouse=True)
def consent() -> None:
    for name in ("Kim", "kim"):
        ConsentStore.of_user().add(tiny_consent(name))


def test_a_dfm_swaps_a_clip_and_the_clip_is_marked_with_it(clip: Path, tmp_path: Path) -> None:
    model = SwapModel.load(write_dfm(tmp_path / "Kim.dfm"), device="cpu")
    config = ConvertConfig.model_validate(PLAIN)
    report = convert_clip(clip, model, tmp_path / "out.mkv", config=config, detector=detector())
    assert (report.identity, report.faces) == ("Kim", 4)
    before, after = (next(iter(VideoReader(path))) for path in (clip, tmp_path / "out.mkv"))
    changed = before.planes[1] != after.planes[1]
    assert 0.02 < changed.mean() < 0.5
    # The planted file halves blue and leaves the rest alone: Cb falls in the face.
    assert after.planes[1][changed].astype(float).mean() < before.planes[1][changed].mean() - 5
    assert verify_clip(tmp_path / "out.mkv").is_marked


def test_inswapper_takes_its_source_from_a_picture_on_the_command_line(clip: Path, tmp_path: Path) -> None:
    write(tmp_path / "encoder.onnx", pixel_reader([(10 * i, 112 - 10 * i) for i in range(1, 12)], 112))
    write_inswapper(tmp_path / "inswapper.onnx", np.eye(DIM, dtype=np.float32))
    picture = astronaut_picture((320, 400))
    assert cv2.imwrite(str(tmp_path / "kim.png"), np.ascontiguousarray(picture[..., ::-1]))
    settings = tmp_path / "plain.toml"
    settings.write_text("""codec = "ffv1"\nmatch = "none"\nlight = 0\nsharpness = 0\nfigures = false\n""")
    words = [sys.executable, "-m", "faceswap", "convert", clip, "-m", tmp_path / "inswapper.onnx"]
    words += ["-o", tmp_path / "out.mkv", "--settings", settings]
    without = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert (without.returncode, "--source PICTURE" in without.stderr) == (2, True)
    words += ["--source", tmp_path / "kim.png", "--id-encoder", tmp_path / "encoder.onnx"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "kim" in done.stdout
    before, after = (next(iter(VideoReader(path))) for path in (clip, tmp_path / "out.mkv"))
    assert (before.planes[0] != after.planes[0]).mean() > 0.02
