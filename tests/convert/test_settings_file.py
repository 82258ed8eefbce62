from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector, tiny_model

from faceswap.config import validated
from faceswap.convert.config import ConvertConfig
from faceswap.convert.overrides import config_of
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.report import ConvertReport
from faceswap.convert.settings_file import settings_path, settings_text
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.verify import verify_clip

SIZE = (120, 160)
TOLD: dict[str, Any] = {
    "codec": "ffv1",
    "match": "histogram",
    "match_over": "shot",
    "keep": "mouth",
    "light": 0.25,
    "deliver": "clip",
    "start": "2",
    "override": [
        {"start": 4, "end": "9", "match": "none", "keep": "none", "feather": 0.2},
        {"tracks": 0, "start": 10, "segmenter": "none", "grain": "off"},
    ],
}


def read_back(text: str, folder: Path) -> ConvertConfig:
    (folder / "settings.toml").write_text(text, encoding="utf-8")
    return config_of(folder / "settings.toml", {}, "test")


@pytest.mark.parametrize(
    "values",
    [
        {},
        TOLD,
        {"person": 'a "b"\\c\t\x7f.jpg', "mask": "C:\\gemälde", "crf": 0.5, "shots": "1", "glasses": False},
        {"map": "track:3=anna", "deliver": "clip,matte", "trim": True, "video_stream": 0},
        {"erode": "top=0.05,bottom=-0.01", "opacity": "0.9,mouth=0.5", "passes": 2, "mask_steady": 0},
        {
            "override": [
                {"tracks": 1, "erode": "left=0.1", "opacity": "eyes=0.7", "restore": "none", "refine_mask": 0.02}
            ]
        },
        {
            "restore": "a 'b'.onnx",
            "label": 'one\ntwo = "3"',
            "label_place": "top-right",
            "label_seconds": 2,
            "morph": 0.5,
        },
    ],
)
def test_settings_come_back_as_they_were(values: dict[str, Any], tmp_path: Path) -> None:
    config = validated(ConvertConfig, values, "test")
    again = read_back(settings_text(config, {"odd name!": "x", "encoder": {"x264-params": "a=1:b"}}), tmp_path)
    assert again == config
    assert [each.values for each in again.override] == [each.values for each in config.override]


def test_every_default_is_written(tmp_path: Path) -> None:
    written = tomllib.loads(settings_text(ConvertConfig(), {}))
    unset = {name for name, value in ConvertConfig().model_dump().items() if value is None}
    assert written.keys() == ConvertConfig.model_fields.keys() - unset - {"override"} | {"made"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


def convert(clip: Path, model: SwapModel, output: str, config: ConvertConfig) -> ConvertReport:
    return convert_clip(clip, model, clip.with_name(output), config=config, detector=detector())


def test_a_conversion_leaves_a_file_that_makes_the_same_pixels(model: SwapModel, tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mkv", size=SIZE, num_frames=14, picture=lambda i: astronaut_picture(SIZE, 9 * np.sin(i / 5))
    )
    first = convert(clip, model, "a.mkv", validated(ConvertConfig, TOLD, "test"))
    assert first.settings_file == settings_path(tmp_path / "a.mkv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".faceswap", "a.c2pa", "a.mkv", "in.mkv"]
    again = config_of(first.settings_file, {}, "test")
    second = convert(clip, model, "b.mkv", again)
    assert second.settings == first.settings
    frames = zip(VideoReader(tmp_path / "a.mkv"), VideoReader(tmp_path / "b.mkv"), strict=True)
    assert all(np.array_equal(x, y) for a, b in frames for x, y in zip(a.planes, b.planes, strict=True))
    made = tomllib.loads(first.settings_file.read_text(encoding="utf-8"))["made"]
    assert made["models"] == [model.manifest_sha256]
    assert made["output"] == "a.mkv"
    assert made["libraries"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are texts there")
def test_names_that_are_no_utf8_are_kept_readable(model: SwapModel, tmp_path: Path) -> None:
    made = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=3, picture=lambda _: astronaut_picture(SIZE))
    clip = made.rename(os.fsdecode(os.fsencode(tmp_path) + b"/in\xff.mkv"))
    report = convert_clip(clip, model, config=ConvertConfig(figures=False), detector=detector())
    assert report.output.is_file()
    assert report.settings_file is not None
    config_of(report.settings_file, {}, "test")
    assert tomllib.loads(report.settings_file.read_text(encoding="utf-8"))["made"]["input"] == "in?.mkv"
    assert verify_clip(report.output).manifest is not None


def test_options_win_over_a_settings_file_that_was_written(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(settings_text(validated(ConvertConfig, TOLD, "test"), {}), encoding="utf-8")
    config = config_of(tmp_path / "s.toml", {"match": "mkl", "keep": "eyes"}, "test")
    assert (config.match, config.keep, config.light) == ("mkl", ("eyes",), 0.25)
