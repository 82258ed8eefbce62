"""What every reader promises, whatever it reads from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import odd_clips as odd
import pytest
from clips import gradient_picture, make_clip

from faceswap.media.pictures import write_picture
from faceswap.media.reader import Reader, open_clip


def _pictures(folder: Path, count: int) -> Path:
    for i in range(count):
        write_picture(folder / f"{i}.png", gradient_picture((120, 160), i))
    return folder if count > 1 else folder / "0.png"


SOURCES: dict[str, Callable[[Path], Path]] = {
    **{
        f"H.264 in {suffix}": (lambda folder, suffix=suffix: make_clip(folder / f"clip.{suffix}", num_frames=5))
        for suffix in ("mp4", "mkv", "mov", "ts", "avi")
    },
    "variable rate": lambda folder: odd.variable_rate(folder / "clip.mkv"),
    "late start": lambda folder: odd.late_start(folder / "clip.mp4"),
    "edit list": lambda folder: odd.cut_head(folder / "clip.mp4", 2),
    "fragments": lambda folder: odd.fragmented(folder / "clip.mp4"),
    "several streams": lambda folder: odd.several_streams(folder / "clip.mp4"),
    "doubled time": lambda folder: odd.doubled_times(folder / "clip.mp4"),
    "joined": lambda folder: odd.joined(folder / "clip.ts", [odd.SIZE, odd.SIZE]),
    "odd size": lambda folder: odd.plain(folder / "clip.mkv", codec="ffv1", size=(97, 131), num_frames=3),
    "10 bit": lambda folder: odd.plain(folder / "clip.mov", codec="prores_ks", pix_fmt="yuv422p10le", num_frames=3),
    "RGB": lambda folder: odd.plain(folder / "clip.mkv", codec="ffv1", pix_fmt="gbrp16le", num_frames=3),
    "big endian": lambda folder: odd.plain(folder / "a.nut", codec="rawvideo", pix_fmt="yuv420p10be", num_frames=3),
    "interleaved": lambda folder: odd.plain(folder / "a.nut", codec="rawvideo", pix_fmt="uyvy422", num_frames=3),
    "gray": lambda folder: odd.plain(folder / "clip.mkv", codec="ffv1", pix_fmt="gray", num_frames=3),
    "alpha": lambda folder: odd.with_alpha(folder / "a.mov", "prores_ks", "yuva444p10le", {"profile": "4"}),
    "pictures": lambda folder: _pictures(folder, 5),
    "one picture": lambda folder: _pictures(folder, 1),
}


@pytest.fixture(params=SOURCES)
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Reader:
    return open_clip(SOURCES[request.param](tmp_path))


def test_frames_are_numbered_from_zero(reader: Reader) -> None:
    indices = [frame.index for frame in reader]
    assert indices
    assert indices == list(range(len(indices)))


def test_times_rise(reader: Reader) -> None:
    times = [frame.time.seconds for frame in reader]
    assert times == sorted(set(times))
    assert {frame.time.time_base for frame in reader} == {reader.info.time_base}


def test_a_second_pass_gives_the_same_frames(reader: Reader) -> None:
    for first, again in zip(list(reader), list(reader), strict=True):
        assert first.time == again.time
        for a, b in zip(first.planes, again.planes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_passes_at_the_same_time_do_not_disturb_each_other(reader: Reader) -> None:
    for first, second in zip(reader, reader, strict=True):
        assert (first.index, first.time) == (second.index, second.time)


def test_a_pass_may_be_left_early(reader: Reader) -> None:
    frames = iter(reader)
    assert next(frames).index == 0
    del frames
    assert next(iter(reader)).index == 0


def test_frames_are_as_announced(reader: Reader) -> None:
    for frame in reader:
        assert (frame.layout, frame.color) == (reader.info.layout, reader.info.color)
        assert reader.info.size in ((0, 0), frame.size)  # pictures of a folder may differ in size


def test_planes_have_the_layouts_shape_and_depth(reader: Reader) -> None:
    for frame in reader:
        shift_y, shift_x = frame.layout.chroma_shift
        height, width = frame.size
        small = (-(-height // 2**shift_y), -(-width // 2**shift_x))
        alpha = [(height, width)] if frame.layout.has_alpha else []
        assert [plane.shape for plane in frame.planes] == [(height, width), small, small, *alpha]
        assert {plane.dtype for plane in frame.planes} == {
            np.dtype(np.uint8 if frame.color.bit_depth == 8 else np.uint16)
        }
        assert all(plane.max() < 2**frame.color.bit_depth for plane in frame.planes)


def test_a_whole_clip_has_no_damage(reader: Reader) -> None:
    count = sum(1 for _ in reader)
    assert reader.num_damaged == 0
    assert reader.shortfalls(count) == []
