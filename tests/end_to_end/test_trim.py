"""Parts of a clip as files of their own: `--trim` with `--shots`, `--start`, `--end`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import make_clip
from convert_job import SIZE, face_picture, faces_between
from makers import detector, tiny_model

from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.report import ConvertReport
from faceswap.errors import NoFaceError, UsageError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.verify import verify_clip

RATE = 25


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(
        tmp_path_factory.mktemp("clips") / "in.mp4",
        size=SIZE,
        num_frames=50,
        picture=face_picture,
        audio_tracks=1,
        chapters=[(0.0, 0.4, "before"), (0.4, 1.0, "across"), (1.0, 2.0, "after")],
    )


def convert(clip: Path, model: SwapModel, output: Path, **settings: Any) -> ConvertReport:
    # What learns from the frames before begins afresh at each segment, and a part has other segments than the whole.
    config = ConvertConfig(match="none", sharpness=0, grain="off", occlusion="off", mask_steady=0, **settings)
    return convert_clip(clip, model, output, config=config, detector=detector())


def sound(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(container.streams.audio[0]) if p.size]


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_the_part_begins_at_zero_and_holds_the_chosen_frames(
    model: SwapModel, clip: Path, tmp_path: Path, codec: str
) -> None:
    output = tmp_path / "part.mkv"
    report = convert(clip, model, output, codec=codec, start="20", end="35", trim=True)
    frames = list(VideoReader(output))
    assert report.frames == len(frames) == 15
    assert [round(frame.time.seconds * RATE) for frame in frames] == list(range(15))
    assert verify_clip(output).is_marked


def test_the_part_holds_what_the_whole_clip_holds_there(
    model: SwapModel, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConvertPlan, "watermark_id", None)  # another conversion has another id
    convert(clip, model, tmp_path / "whole.mkv", codec="ffv1")
    convert(clip, model, tmp_path / "part.mkv", codec="ffv1", start="20", end="35", trim=True)
    whole, part = list(VideoReader(tmp_path / "whole.mkv")), list(VideoReader(tmp_path / "part.mkv"))
    for expected, frame in zip(whole[20:35], part, strict=True):
        for a, b in zip(expected.planes, frame.planes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_sound_and_chapters_move_with_the_pictures(model: SwapModel, clip: Path, tmp_path: Path) -> None:
    convert(clip, model, tmp_path / "part.mp4", start="20", end="35", trim=True)
    start, stop = Fraction(20, RATE), Fraction(35, RATE)
    expected = [(time - start, data) for time, data in sound(clip) if start <= time < stop]
    found = sound(tmp_path / "part.mp4")
    assert [data for _, data in found] == [data for _, data in expected]
    assert max(abs(a - b) for (a, _), (b, _) in zip(found, expected, strict=True)) < Fraction(1, 1000)
    with av.open(str(tmp_path / "part.mp4")) as container:
        chapters = [
            (
                c["metadata"]["title"],
                round(float(c["start"] * c["time_base"]), 3),
                round(float(c["end"] * c["time_base"]), 3),
            )
            for c in container.chapters()
        ]
    assert chapters == [("across", 0.0, 0.2), ("after", 0.2, 0.6)]


def test_parts_can_be_copied_too(model: SwapModel, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", size=SIZE, num_frames=64, picture=faces_between(28, 36), audio_tracks=1)
    report = convert(clip, model, tmp_path / "part.mp4", start="12", end="60", trim=True, copy_untouched=True)
    before, after = list(VideoReader(clip))[12:60], list(VideoReader(tmp_path / "part.mp4"))
    equal = [
        all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))
        for a, b in zip(before, after, strict=True)
    ]
    # The group of 8 that holds frame 12 is entered in its middle, so it is encoded.
    assert all(equal[16 - 12 : 24 - 12])
    assert all(equal[40 - 12 : 56 - 12])
    assert report.frames_copied >= 24
    assert report.frames == 48


def test_pictures_keep_the_numbers_of_their_frames(model: SwapModel, clip: Path, tmp_path: Path) -> None:
    convert(clip, model, tmp_path / "part", codec="png", start="20", end="23", trim=True)
    names = sorted(path.name for path in (tmp_path / "part").glob("*.png"))
    assert names == ["000020.png", "000021.png", "000022.png"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"trim": True}, UsageError, "choose some with"),
        ({"trim": True, "start": "5", "deliver": "clip,otio"}, UsageError, "leave out --trim or otio"),
        ({"start": "99"}, UsageError, "50 frames"),
        ({"shots": "2"}, UsageError, "no shot 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    model: SwapModel, clip: Path, tmp_path: Path, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        convert(clip, model, tmp_path / "part.mp4", **settings)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".faceswap"] == []


def test_a_part_without_a_face_is_refused(model: SwapModel, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", size=SIZE, num_frames=40, picture=faces_between(28, 36))
    with pytest.raises(NoFaceError, match="no face to swap in the chosen frames"):
        convert(clip, model, tmp_path / "part.mp4", end="20")
