from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import odd_clips as odd
import pytest

from faceswap.media.complete import missing_bytes, shortfalls
from faceswap.media.reader import VideoReader


@pytest.fixture(params=["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.ts", "fragments.mp4"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    if path.stem == "fragments":
        return odd.fragmented(path)
    return odd.plain(path, **({"codec": "libvpx", "num_frames": 3} if path.suffix == ".webm" else {}))


def test_whole_file_misses_nothing(whole: Path) -> None:
    assert missing_bytes(whole) == 0


@pytest.mark.parametrize("num_bytes", [1, 7, 100])
def test_bytes_cut_off_are_counted(whole: Path, num_bytes: int) -> None:
    whole.write_bytes(whole.read_bytes()[:-num_bytes])
    missing = missing_bytes(whole)
    # The last box of fragments only says where the others are, and a cut may fall between the boxes of any MP4.
    assert missing == num_bytes or (whole.suffix in (".mp4", ".mov") and missing > 0)


def test_long_boxes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    head = (16).to_bytes(4, "big") + b"ftypisom" + bytes(4)
    path.write_bytes(head + (1).to_bytes(4, "big") + b"mdat" + (1 << 33).to_bytes(8, "big"))
    assert missing_bytes(path) == (1 << 33) - 16


@pytest.mark.parametrize("content", [b"", b"ftyp", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\0" * 64, b"G" * 400])
def test_rubbish_promises_nothing_that_ends_badly(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    assert 0 <= missing_bytes(path) < 188


def test_folder_is_whole(tmp_path: Path) -> None:
    assert missing_bytes(tmp_path) == 0


def test_live_recording_of_unknown_length_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "live.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"rest")
    assert missing_bytes(path) == 0


def test_each_kind_of_shortfall_is_said_once(tmp_path: Path) -> None:
    info = VideoReader(odd.plain(tmp_path / "a.mp4")).info
    whole = SimpleNamespace(info=info, num_damaged=0, num_lost=0, num_flawed=0)
    assert shortfalls(whole, odd.NUM_FRAMES) == []
    short = SimpleNamespace(info=info, num_damaged=2, num_lost=3, num_flawed=4)
    notes = shortfalls(short, odd.NUM_FRAMES - 3)
    assert [note.split()[0] for note in notes] == ["2", "3", "4", "the"]
    assert f"{odd.NUM_FRAMES - 3} of {odd.NUM_FRAMES} promised frames" in notes[-1]
