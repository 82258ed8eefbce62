from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip

from faceswap.errors import InterruptedRunError, UnsupportedInputError, UsageError
from faceswap.interrupt import StopRequest
from faceswap.media import ffmpeg_filter
from faceswap.media.ffmpeg_filter import filtered_clip
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


@pytest.mark.parametrize("tags", [(2, 2, 1, 1), (9, 2, 2, 0), (2, 18, 9, 2), (1, 1, 1, 2)])
def test_clips_with_some_of_the_colour_tags_keep_them(tmp_path: Path, tags: tuple[int, int, int, int]) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=3, color_tags=tags)
    before, after = (VideoReader(path).info for path in (clip, filtered_clip(clip, "hqdn3d", tmp_path / "work")))
    assert (after.tags.primaries, after.tags.transfer, after.tags.matrix) == tags[:3]
    assert after.color == before.color


def test_filter_changes_the_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=3)
    result = filtered_clip(clip, "negate,hflip", tmp_path)
    old, new = next(iter(VideoReader(clip))), next(iter(VideoReader(result)))
    assert np.abs(new.planes[0].astype(int) - (255 - old.planes[0][:, ::-1].astype(int))).max() <= 1


def test_same_source_and_filter_are_not_filtered_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=4)
    reports: list[Progress] = []
    first = filtered_clip(clip, "hqdn3d", tmp_path / "work", on_progress=reports.append)
    assert [report.done for report in reports if report.stage == "filter"][-1] == 4
    assert [report.done for report in reports if report.stage == "filter check"] == [1, 2, 3, 4]
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


def test_stop_request_while_times_are_checked_leaves_nothing(tmp_path: Path) -> None:
    stop = StopRequest()

    def on_progress(progress: Progress) -> None:
        if progress.stage == "filter check" and progress.done == 3:
            stop.signal_number = 2

    with pytest.raises(InterruptedRunError) as caught:
        filtered_clip(make_clip(tmp_path / "in.mp4"), "hqdn3d", tmp_path / "work", on_progress=on_progress, stop=stop)
    assert caught.value.exit_code == 130
    assert visible(tmp_path / "work") == []


def test_program_that_a_stop_request_ends_has_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, stop = make_clip(tmp_path / "in.mp4", num_frames=2), StopRequest()

    class Ended:
        """Of a program that says nothing any more: the request arrives while its end is waited for."""

        stdout = ()

        def wait(self) -> int:
            stop.signal_number = 15
            return -15

    monkeypatch.setattr(ffmpeg_filter, "_child", lambda *_: contextlib.nullcontext(Ended()))
    with pytest.raises(InterruptedRunError):
        filtered_clip(clip, "hqdn3d", tmp_path / "work", stop=stop)


# Filters a clip as slowly as it would play, so that the program can be caught at work.
SLOW = """
import sys
from pathlib import Path
from faceswap.interrupt import stop_on_signal
from faceswap.media.ffmpeg_filter import filtered_clip
with stop_on_signal():
    filtered_clip(Path(sys.argv[1]), "realtime", Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a program's life to ours")
@pytest.mark.parametrize("signals", [[signal.SIGKILL], [signal.SIGTERM, signal.SIGTERM]])
def test_program_dies_with_us(tmp_path: Path, signals: list[signal.Signals]) -> None:
    clip, work = make_clip(tmp_path / "in.mp4", num_frames=200, rate=1), tmp_path / "work"
    parent = subprocess.Popen([sys.executable, "-c", SLOW, str(clip), str(work)])
    child = filter_of(parent)
    try:
        assert os.getsid(child) == child != os.getsid(parent.pid)  # the terminal's Ctrl-C goes to us alone
        for number in signals:
            parent.send_signal(number)
            time.sleep(0.2)  # a second signal at the same moment would count as the first
        parent.wait(timeout=20)
        wait_until(lambda: not is_running(child))
    finally:
        parent.kill()
        parent.wait()
        if is_running(child):
            os.kill(child, signal.SIGKILL)
    assert parent.returncode in (-signal.SIGKILL, 128 + signal.SIGTERM)


def filter_of(parent: subprocess.Popen[bytes]) -> int:
    """Wait for the program that filters for a process and return its number."""
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")

    def found() -> list[int]:
        return [pid for pid in map(int, children.read_text().split()) if is_filter(pid)]

    wait_until(lambda: bool(found()))
    return found()[0]


def is_filter(pid: int) -> bool:
    """False for FFmpeg when it is only asked for its version, and for what will become FFmpeg."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"ffmpeg" in words[0] and b"realtime" in words


def is_running(pid: int) -> bool:
    """False for the dead, also where nobody fetches them (containers whose first process is no init)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_clip_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "a.ts", num_frames=8)
    second = make_clip(tmp_path / "b.ts", size=(96, 128), times=[3600 * i for i in range(8, 16)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(UnsupportedInputError, match="at frame 8"):
        filtered_clip(joined, "null", tmp_path / "work")
    assert visible(tmp_path / "work") == []


def test_missing_extra_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UsageError, match=r'pip install "faceswap\[ffmpeg\]"'):
        filtered_clip(make_clip(tmp_path / "in.mp4", num_frames=2), "hqdn3d", tmp_path)
