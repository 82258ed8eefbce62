from __future__ import annotations

import csv
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from clips import make_clip, truncated

from faceswap.errors import FaceswapError, UnsupportedInputError, UsageError
from faceswap.media.reader import open_clip

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus_video"


def test_reader_keeps_pts_of_variable_rate_clip(tmp_path: Path) -> None:
    times = [0, 3003, 9001, 9100, 50007]
    reader = open_clip(make_clip(tmp_path / "vfr.mp4", times=times))
    assert [frame.time.pts for frame in reader] == times
    assert reader.info.time_base == Fraction(1, 90000)


def test_reader_keeps_a_start_offset(tmp_path: Path) -> None:
    reader = open_clip(make_clip(tmp_path / "late.mp4", times=[90000, 93600, 97200]))
    assert [frame.time.seconds for frame in reader] == [1.0, 1.04, 1.08]


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "bits", "shift"),
    [
        ("yuv420p", "libx264", 8, (1, 1)),
        ("yuv422p", "libx264", 8, (0, 1)),
        ("yuv444p", "libx264", 8, (0, 0)),
        ("yuv420p10le", "libx264", 10, (1, 1)),
        ("yuv422p10le", "prores_ks", 10, (0, 1)),
    ],
)
def test_reader_keeps_format_and_depth(
    tmp_path: Path, pix_fmt: str, codec: str, bits: int, shift: tuple[int, int]
) -> None:
    reader = open_clip(make_clip(tmp_path / "clip.mov", pix_fmt=pix_fmt, codec=codec, num_frames=2))
    frame = next(iter(reader))
    assert (frame.layout.name, frame.color.bit_depth, frame.layout.chroma_shift) == (pix_fmt, bits, shift)


def test_reader_reads_one_frame_clips(tmp_path: Path) -> None:
    assert len(list(open_clip(make_clip(tmp_path / "one.mp4", num_frames=1)))) == 1


def test_reader_reads_odd_sizes(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "odd.mkv", size=(121, 161), pix_fmt="yuv420p", codec="ffv1", num_frames=2)
    frame = next(iter(open_clip(clip)))
    assert [plane.shape for plane in frame.planes] == [(121, 161), (61, 81), (61, 81)]


def test_truncated_clip_gives_the_frames_before_the_cut(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", num_frames=60)
    frames = list(open_clip(truncated(clip, 0.6)))
    assert 0 < len(frames) < 60


@pytest.mark.parametrize("name", ["-dash.mp4", 'it\'s a "name".mp4', "line\nbreak.mp4", "Ünï 文.mp4", "concat:x.mp4"])
def test_reader_takes_hostile_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_clip(tmp_path / "plain.mp4", num_frames=2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(open_clip(name))) == 2


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        open_clip(tmp_path / "no.mp4")


@pytest.mark.parametrize(("content", "reason"), [(b"", "0 bytes"), (b"no video at all" * 99, "cannot be opened")])
def test_file_that_is_no_video_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(UnsupportedInputError, match=reason):
        open_clip(path)


def test_picture_too_small_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match="8x8 px"):
        open_clip(make_clip(tmp_path / "tiny.mkv", size=(8, 8), codec="ffv1", num_frames=1))


@pytest.mark.shared
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of odd video files is not beside the checkout")
@pytest.mark.timeout(120)
def test_odd_files_are_read_or_refused_in_one_line() -> None:
    names = [row["file"] for row in csv.DictReader((CORPUS / "manifest.tsv").open(), delimiter="\t")]
    counts = {}
    for name in names:
        with suppress(FaceswapError):  # any other exception fails the test
            counts[name] = sum(1 for _ in open_clip(CORPUS / name))
    assert counts["media__sample_android_slow_motion.mp4"] == 7
    assert counts["moviepy__no_duration.webm"] == 74
    assert counts["c2pa-python__test.avi"] == 901
    assert counts["media__iibbibb_editlist_videoonly.mp4"] == 12
    assert "media__sample_audio_only.mp4" not in counts


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
        '\ufeff<?xml version="1.0"?><MPD></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\n",
    ],
)
def test_playlist_is_refused_before_anything_it_names_is_opened(tmp_path: Path, text: str) -> None:
    make_clip(tmp_path / "secret.mp4", num_frames=1)
    path = tmp_path / "list.mp4"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnsupportedInputError, match="playlist"):
        open_clip(path)
