from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from makers import table_of

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.decoding import DecodingPass
from faceswap.media.digest import frame_digest
from faceswap.media.reader import VideoReader

NUM_FRAMES = 40
STARTS = (0, 1, 7, 8, 9, 15, 16, 17, 21, 31, 39)
"""Before, at and behind key frames (every 8 frames), the first and the last frame."""


@dataclass(frozen=True)
class Kind:
    suffix: str
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.codec}-{'-'.join(value for _, value in self.options) or 'closed'}{self.suffix}"


OPEN_264 = (("x264-params", "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0"),)
OPEN_265 = (("x265-params", "log-level=error:keyint=8:min-keyint=8:open-gop=1:bframes=3:b-adapt=0:pools=1"),)
REFRESH = (("x264-params", "intra-refresh=1:keyint=8:bframes=0"),)
MPEG2 = (("g", "8"), ("bf", "2"))
KINDS = [
    *(Kind(suffix) for suffix in (".mp4", ".mkv", ".mov", ".ts", ".avi")),
    *(Kind(suffix, options=OPEN_264) for suffix in (".mp4", ".mkv", ".mov", ".ts", ".avi")),
    *(Kind(suffix, options=REFRESH) for suffix in (".mp4", ".ts")),
    *(Kind(suffix, "libx265") for suffix in (".mp4", ".mkv", ".ts")),
    *(Kind(suffix, "libx265", options=OPEN_265) for suffix in (".mp4", ".mkv", ".mov", ".ts")),
    *(Kind(suffix, "mpeg2video", options=MPEG2) for suffix in (".ts", ".mkv", ".avi")),
    Kind(".mkv", "ffv1"),
    Kind(".avi", "ffv1"),
    Kind(".mov", "prores_ks", "yuv422p10le"),
    Kind(".avi", "mjpeg", "yuvj420p"),
    Kind(".mkv", "libvpx-vp9", options=(("g", "8"), ("deadline", "realtime"), ("cpu-used", "8"))),
    Kind(".mp4", "libsvtav1", options=(("preset", "12"), ("g", "8"))),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_frames_from_any_place_equal_those_of_a_whole_pass(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / f"clip{kind.suffix}"
    options = dict(kind.options)
    make_clip(path, num_frames=NUM_FRAMES, codec=kind.codec, pix_fmt=kind.pix_fmt, options=options)
    reader = VideoReader(path)
    whole = list(reader)
    table = table_of(reader)
    assert len(table) == NUM_FRAMES
    assert (np.diff(table.pts) > 0).all()
    for start in STARTS:
        frames = list(reader.frames_from(start, table))
        assert [frame.index for frame in frames] == list(range(start, NUM_FRAMES))
        for frame, expected in zip(frames, whole[start:], strict=True):
            assert frame.time == expected.time
            for got, wanted in zip(frame.planes, expected.planes, strict=True):
                np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_a_late_frame_is_reached_without_decoding_from_the_start(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = VideoReader(make_clip(tmp_path / f"clip{suffix}", num_frames=100))
    table = table_of(reader)
    decoded = []
    pictures = DecodingPass.pictures

    def counted(self: DecodingPass, seek_to: int | None = None) -> object:
        for picture in pictures(self, seek_to):
            decoded.append(picture[1])
            yield picture

    monkeypatch.setattr(DecodingPass, "pictures", counted)
    assert next(iter(reader.frames_from(90, table))).index == 90
    assert min(decoded) >= table.pts[50]


def test_variable_rate_and_edit_list_are_kept(tmp_path: Path) -> None:
    times = list(itertools.accumulate([90_000, *([3000, 1500, 9000] * 13)]))
    reader = VideoReader(make_clip(tmp_path / "vfr.mp4", times=times))
    table = table_of(reader)
    assert [frame.time.pts for frame in reader.frames_from(21, table)] == times[21:]


def test_static_pictures_are_told_apart_by_time(tmp_path: Path) -> None:
    still = np.full((120, 160, 3), 99, np.uint8)
    reader = VideoReader(make_clip(tmp_path / "still.mkv", num_frames=NUM_FRAMES, picture=lambda _: still))
    table = table_of(reader)
    frames = list(reader.frames_from(30, table))
    assert [(frame.index, frame.time.pts) for frame in frames] == list(enumerate(table.pts.tolist()))[30:]


def test_a_place_outside_the_clip_is_refused(tmp_path: Path) -> None:
    reader = VideoReader(make_clip(tmp_path / "clip.mp4", num_frames=4))
    table = table_of(reader)
    assert list(reader.frames_from(4, table)) == []
    for index in (-1, 5):
        with pytest.raises(UsageError, match="4 frames"):
            next(reader.frames_from(index, table))


def test_table_of_another_clip_is_noticed(tmp_path: Path) -> None:
    other = table_of(VideoReader(make_clip(tmp_path / "other.mp4", num_frames=30, rate=Fraction(10))))
    reader = VideoReader(make_clip(tmp_path / "clip.mp4", num_frames=30))
    with pytest.raises(UnsupportedInputError, match="not the clip that was analysed"):
        list(reader.frames_from(20, other))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_frames_at_a_time_are_those_of_a_whole_pass(tmp_path: Path, suffix: str) -> None:
    reader = VideoReader(make_clip(tmp_path / f"in{suffix}", num_frames=30))
    frames = list(reader)
    for start in (0, 1, 9, 29):
        seconds = (frames[start].time.pts - frames[0].time.pts) * reader.info.time_base
        found = list(reader.frames_at(seconds, start))
        assert [frame.time.pts for frame in found] == [frame.time.pts for frame in frames[start:]]
        assert frame_digest(found[0]) == frame_digest(frames[start])
        assert found[0].index == start
