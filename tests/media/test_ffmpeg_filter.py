from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import gradient_picture, make_clip

from faceswap.errors import InterruptedRunError, UsageError
from faceswap.interrupt import StopRequest
from faceswap.media import ffmpeg_filter
from faceswap.media.ffmpeg_filter import filtered_clip, vmaf
from faceswap.media.reader import VideoReader
from faceswap.progress import Progress

pytest.importorskip("ffmpeg", reason="the extra `ffmpeg` is not installed")
pytest.importorskip("imageio_ffmpeg", reason="the extra `ffmpeg` is not installed")

TICKS = [0, 3607, 7200, 11_711, 13_500, 20_700, 24_309, 27_900, 31_500, 45_000]


def times(path: Path) -> list[Fraction]:
    return [frame.time.pts * frame.time.time_base for frame in VideoReader(path)]


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("suffix", "pix_fmt", "first"), [(".mp4", "yuv420p", 0), (".mp4", "yuv420p10le", 1_800_000), (".mkv", "yuv422p", 0)]
)
def test_neutral_filter_keeps_every_sample_time_and_tag(tmp_path: Path, suffix: str, pix_fmt: str, first: int) -> None:
    clip = make_clip(
        tmp_path / f"-odd:name%d{suffix}",
        times=[first + tick for tick in TICKS],
        pix_fmt=pix_fmt,
        rotation=90 if suffix == ".mp4" else None,
        pixel_aspect=Fraction(4, 3),
        color_tags=(9, 16, 9, 1),
        audio_tracks=1,
    )
    result = filtered_clip(clip, "null", tmp_path / "work")
    before, after = VideoReader(clip), VideoReader(result)
    for name in ("size", "layout", "color", "tags", "pixel_aspect", "display_matrix"):
        assert getattr(after.info, name) == getattr(before.info, name), name
    assert times(result) == times(clip)
    for old, new in zip(before, after, strict=True):
        for a, b in zip(old.planes, new.planes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_filter_changes_the_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=3)
    result = filtered_clip(clip, "negate,hflip", tmp_path)
    old, new = next(iter(VideoReader(clip))), next(iter(VideoReader(result)))
    assert np.abs(new.planes[0].astype(int) - (255 - old.planes[0][:, ::-1].astype(int))).max() <= 1


def test_same_source_and_filter_are_not_filtered_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=4)
    reports: list[Progress] = []
    first = filtered_clip(clip, "hqdn3d", tmp_path / "work", on_progress=reports.append)
    assert reports[-1].done == 4
    changed = first.stat().st_mtime_ns
    again = filtered_clip(clip, "hqdn3d", tmp_path / "work", on_progress=lambda _: pytest.fail("it ran again"))
    assert (again, again.stat().st_mtime_ns) == (first, changed)
    assert filtered_clip(clip, "hqdn3d=8", tmp_path / "work") != first
    assert len(visible(tmp_path / "work")) == 2


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ("nosuchfilter", "nosuchfilter"),
        ("scale=-7:none", "none"),
        ("fps=10", "changes the times"),
        ("setpts=2*PTS", "changes the times"),
        ("select=not(mod(n\\,2))", "changes the times"),
        ("movie=http://example.org/x", "without URLs"),
        (" ", "chain of FFmpeg filters"),
    ],
)
def test_filter_that_fails_or_moves_frames_is_refused_in_one_line(tmp_path: Path, graph: str, says: str) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=12)
    with pytest.raises(UsageError) as caught:
        filtered_clip(clip, graph, tmp_path / "work")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert visible(tmp_path / "work") == []


def test_fps_filter_that_fits_the_clip_is_allowed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=12, rate=25)
    assert times(filtered_clip(clip, "fps=25", tmp_path)) == times(clip)


def test_stop_request_ends_the_program_and_leaves_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=40)
    stop = StopRequest()
    stop.signal_number = 15
    with pytest.raises(InterruptedRunError):
        filtered_clip(clip, "hqdn3d", tmp_path / "work", stop=stop)
    assert visible(tmp_path / "work") == []


def test_killed_program_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=10)
    # In place of FFmpeg: something that has begun its output when it is killed.
    code = "import os, signal, sys; open(sys.argv[1], 'wb').write(b'half'); os.kill(os.getpid(), signal.SIGKILL)"

    def arguments(*args: object) -> list[str]:
        return [sys.executable, "-c", code, str(args[-1])]

    monkeypatch.setattr(ffmpeg_filter, "_filter_arguments", arguments)
    with pytest.raises(UsageError, match="signal 9"):
        filtered_clip(clip, "hqdn3d", tmp_path / "work")
    assert visible(tmp_path / "work") == []


def test_missing_extra_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UsageError, match=r'pip install "faceswap\[ffmpeg\]"'):
        filtered_clip(make_clip(tmp_path / "in.mp4", num_frames=2), "hqdn3d", tmp_path)


def test_vmaf_tells_a_good_copy_from_a_bad_one(tmp_path: Path) -> None:
    def detailed(frame: int) -> np.ndarray:
        noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3)).astype(np.uint8)
        return gradient_picture((120, 160), frame) // 2 + noise

    clip = make_clip(tmp_path / "in.mp4", num_frames=8, picture=detailed)
    good = filtered_clip(clip, "null", tmp_path)
    bad = make_clip(tmp_path / "bad.mp4", num_frames=8, picture=lambda i: cv2.GaussianBlur(detailed(i), (0, 0), 3))
    assert vmaf(clip, good) > 95
    assert vmaf(clip, bad) < vmaf(clip, good) - 20


def test_clips_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=3)
    with pytest.raises(UsageError, match="cannot be compared"):
        vmaf(clip, make_clip(tmp_path / "small.mp4", num_frames=3, size=(60, 80)))
