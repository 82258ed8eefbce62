"""What conversions write into their pictures: the watermark, where the rules want it, and the label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip
from makers import detector, tiny_model

from faceswap.convert import blend, make
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.plan import plan_convert
from faceswap.convert.report import ConvertReport
from faceswap.convert.seal import extent_of, watermark_id
from faceswap.errors import UsageError
from faceswap.faces.align import patch_from_frame
from faceswap.faces.index import FaceIndex
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.watermark.detect import detect
from faceswap.provenance.watermark.embed import LumaMarker, epoch_of, whole
from faceswap.provenance.watermark.payload import Payload
from faceswap.types import Patch

SIZE = (288, 384)
NUM_FRAMES, FIRST = 54, 6
"""Frames without a face come first."""


def picture(frame: int) -> np.ndarray:
    return astronaut_picture(SIZE, 0.5 * frame) if frame >= FIRST else gradient_picture(SIZE, frame)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "in.mkv"
    return make_clip(path, size=SIZE, num_frames=NUM_FRAMES, picture=picture, codec="ffv1")


def convert(clip: Path, model: SwapModel, output: Path, **settings: Any) -> ConvertReport:
    config = ConvertConfig(**{"codec": "ffv1", "figures": False, **settings})
    return convert_clip(clip, model, output, config=config, detector=detector())


@pytest.fixture(scope="module")
def lossless(clip: Path, model: SwapModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ConvertReport]:
    output = tmp_path_factory.mktemp("lossless") / "out.mkv"
    return output, convert(clip, model, output, deliver="clip,overlay,matte,raw")


def test_lossless_output_keeps_every_sample_that_no_face_covers(
    clip: Path, model: SwapModel, lossless: tuple[Path, ConvertReport]
) -> None:
    output, _ = lossless
    (path,) = (output.parent / ".faceswap").iterdir()
    index = FaceIndex.load(path)
    for before, after in zip(VideoReader(clip), VideoReader(output), strict=True):
        square = np.ones((1, model.crop.size, model.crop.size), np.float32)
        patches = [
            Patch(np.repeat(square, 3, axis=0), square, patch_from_frame(face, model.crop))
            for face in index.faces_at(before.index)
        ]
        outside = blend.alpha_of(before.size, patches) == 0
        assert outside.mean() > 0.3
        np.testing.assert_array_equal(after.planes[0][outside], before.planes[0][outside])


def test_delivery_is_marked_over_swapped_frames_and_the_id_is_read(
    clip: Path, model: SwapModel, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    report = convert(clip, model, output, codec="h264", crf=23)
    found = detect(VideoReader(output), any_size=False)
    assert found is not None
    assert f"{found.id:010x}" == report.watermark
    assert found.false_positive_rate < 1e-6


def test_frames_without_a_swap_are_not_marked(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    convert(clip, model, tmp_path / "out.mkv", watermark="frame")
    pairs = list(zip(VideoReader(clip), VideoReader(tmp_path / "out.mkv"), strict=True))
    for before, after in pairs[:FIRST]:
        np.testing.assert_array_equal(after.planes[0], before.planes[0])
    before, after = pairs[-1]
    corner = (slice(0, 40), slice(0, 60))
    assert (after.planes[0][corner] != before.planes[0][corner]).mean() > 0.2


def test_faces_in_clip_overlay_and_raw_carry_the_pattern_and_the_matte_nothing(
    clip: Path,
    model: SwapModel,
    lossless: tuple[Path, ConvertReport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, report = lossless
    assert report.watermark is not None
    monkeypatch.setattr(make, "watermark_id", lambda facts: None)
    plain = tmp_path / "out.mkv"
    assert convert(clip, model, plain, deliver="clip,overlay,matte,raw").watermark is None
    marker = LumaMarker(Payload(int(report.watermark, 16)))
    likeness = {}
    for name in ("out.mkv", "out_overlay.mov", "out_raw.mov", "out_matte.mov"):
        pairs = zip(VideoReader(output.with_name(name)), VideoReader(plain.with_name(name)), strict=True)
        marked, unmarked = list(pairs)[-1]
        step = marked.planes[0].astype(float) - unmarked.planes[0]
        pattern = marker.pattern(whole(marked.size), epoch_of(marked), 1)
        likeness[name] = np.corrcoef(step[step != 0], pattern[step != 0])[0, 1] if step.any() else 0.0
    assert likeness.pop("out_matte.mov") == 0
    assert min(likeness.values()) > 0.5, likeness


def test_the_same_conversion_has_the_same_id_and_another_another(
    clip: Path, model: SwapModel, tmp_path: Path, lossless: tuple[Path, ConvertReport]
) -> None:
    again = convert(clip, model, tmp_path / "again.mkv", deliver="clip,overlay,matte,raw")
    assert again.watermark == lossless[1].watermark
    assert (tmp_path / "again.mkv").read_bytes() == lossless[0].read_bytes()
    assert convert(clip, model, tmp_path / "other.mkv", light=0).watermark != again.watermark


def test_ids_follow_from_all_facts() -> None:
    assert watermark_id({"a": 1, "b": 2}) == watermark_id({"b": 2, "a": 1})
    assert watermark_id({"a": 1}) != watermark_id({"a": 2})
    assert watermark_id({"a": 1, "source_mtime_ns": 5}) == watermark_id({"a": 1, "source_mtime_ns": 6})
    assert 0 <= watermark_id({}) < 2**40


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("out.mp4", {"codec": "h264"}, "frame"),
        ("out.mp4", {"codec": "h265", "crf": 28}, "frame"),
        ("out.mp4", {"codec": "h264", "crf": 0}, "face"),
        ("out.mkv", {"codec": "ffv1"}, "face"),
        ("out.mov", {"codec": "prores"}, "face"),
        ("out", {"codec": "png"}, "face"),
        ("out.mkv", {"codec": "ffv1", "watermark": "frame"}, "frame"),
        ("out.mp4", {"codec": "h264", "watermark": "face"}, "face"),
    ],
)
def test_what_is_marked_follows_from_the_format(
    clip: Path, model: SwapModel, tmp_path: Path, name: str, settings: dict[str, Any], expected: str
) -> None:
    plan = plan_convert(clip, model, tmp_path / name, config=ConvertConfig(**settings))
    assert extent_of(plan) == expected


def test_label_is_on_every_frame_for_its_time(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    convert(clip, model, tmp_path / "out.mkv", label="cn-aigc", label_place="top-right", label_seconds=0.4)
    corner = (slice(0, 60), slice(-100, None))
    for before, after in zip(VideoReader(clip), VideoReader(tmp_path / "out.mkv"), strict=True):
        is_drawn = bool((before.planes[0][corner] != after.planes[0][corner]).any())
        assert is_drawn == (after.time.seconds < 0.4)


def test_a_label_that_cannot_be_drawn_is_refused_before_work_starts(
    clip: Path, model: SwapModel, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="shorter text"):
        plan_convert(clip, model, tmp_path / "out.mkv", config=ConvertConfig(codec="ffv1", label="x" * 90))
