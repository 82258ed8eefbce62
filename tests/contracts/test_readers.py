"""What every reader promises, whatever it reads from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import gradient_picture, make_clip

from faceswap.media.pictures import write_picture
from faceswap.media.reader import Reader, open_clip


@pytest.fixture(params=["mp4", "mkv", "mov", "ts", "pictures", "one picture"])
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Reader:
    if "picture" not in request.param:
        return open_clip(make_clip(tmp_path / f"clip.{request.param}", num_frames=5))
    count = 5 if request.param == "pictures" else 1
    for i in range(count):
        write_picture(tmp_path / f"{i}.png", gradient_picture((120, 160), i))
    return open_clip(tmp_path if count > 1 else tmp_path / "0.png")


def test_frames_are_numbered_from_zero(reader: Reader) -> None:
    assert [frame.index for frame in reader] == list(range(len(list(reader))))


def test_times_rise(reader: Reader) -> None:
    times = [frame.time.seconds for frame in reader]
    assert times == sorted(set(times))


def test_a_second_pass_gives_the_same_frames(reader: Reader) -> None:
    for first, again in zip(list(reader), list(reader), strict=True):
        assert first.time == again.time
        for a, b in zip(first.planes, again.planes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_planes_have_the_layouts_shape(reader: Reader) -> None:
    for frame in reader:
        shift_y, shift_x = frame.layout.chroma_shift
        height, width = frame.size
        assert [plane.shape for plane in frame.planes[1:3]] == [(height >> shift_y, width >> shift_x)] * 2
        assert frame.planes[0].dtype == (np.uint8 if frame.color.bit_depth == 8 else np.uint16)


def test_a_whole_clip_has_no_damage(reader: Reader) -> None:
    list(reader)
    assert reader.num_damaged == 0
