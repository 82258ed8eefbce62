"""Generated odd clips: the same promises as for the real ones in test_corpus.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import odd_clips as odd
import pytest
from clips import make_clip
from facts import Facts, assert_same_surroundings, assert_same_times, facts_of
from makers import FixedDetector, tiny_model

from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.report import ConvertReport
from faceswap.errors import FaceswapError, UnsupportedInputError, UsageError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel

N = odd.NUM_FRAMES
WEBM_ALPHA = {"auto-alt-ref": "0", "deadline": "realtime", "cpu-used": "8"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture
def convert(model: SwapModel, tmp_path: Path) -> Callable[..., ConvertReport]:
    """Convert into a folder of its own; `suffix` chooses the container, other settings go to `ConvertConfig`."""

    def run(clip: Path, suffix: str = ".mkv", **config: Any) -> ConvertReport:
        folder = tmp_path / "outputs"
        folder.mkdir(exist_ok=True)
        settings = ConvertConfig(**{"preset": None if "codec" in config else "ultrafast", **config})
        return convert_clip(clip, model, folder / f"out{suffix}", config=settings, detector=FixedDetector())

    return run


def both_facts(report: ConvertReport, video_stream: int = 0) -> tuple[Facts, Facts]:
    return facts_of(report.input, video_stream), facts_of(report.output)


def says(report: ConvertReport, part: str) -> bool:
    return any(part in note for note in report.notes)


def outcome_of(run: Callable[[], ConvertReport]) -> ConvertReport | FaceswapError:
    """Return the report, or the error that says why there is none; any other exception fails the test."""
    try:
        return run()
    except FaceswapError as error:
        return error


TIMED: dict[str, Callable[[Path], Path]] = {
    "variable rate": odd.variable_rate,
    "two second gap": odd.two_second_gap,
    "late start": odd.late_start,
    "one frame": lambda path: odd.plain(path, num_frames=1),
    "no audio": odd.plain,
    "two audio tracks": lambda path: odd.plain(path, audio_tracks=2),
    "chapters": lambda path: odd.plain(path, chapters=[(0.0, 0.3, "one"), (0.3, 0.64, "two")]),
    "anamorphic": lambda path: odd.plain(path, pixel_aspect=Fraction(16, 15)),
    "10 bit": lambda path: odd.plain(path, pix_fmt="yuv420p10le"),
    "4:2:2": lambda path: odd.plain(path, pix_fmt="yuv422p"),
    "4:4:4": lambda path: odd.plain(path, pix_fmt="yuv444p"),
    "full range": lambda path: odd.plain(path, pix_fmt="yuvj420p", color_tags=(1, 1, 1, 2)),
    "HDR tags": lambda path: odd.plain(path, pix_fmt="yuv420p10le", color_tags=(9, 16, 9, 1)),
    "several streams": odd.several_streams,
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", TIMED)
def test_clip_keeps_frames_times_and_all_else(
    kind: str, suffix: str, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    report = convert(TIMED[kind](tmp_path / f"in{suffix}"), suffix)
    before, after = both_facts(report)
    assert report.is_complete
    assert report.frames == report.faces == len(before.times) == (1 if kind == "one frame" else N)
    assert_same_times(before.times, after.times)
    assert_same_surroundings(before, after)
    assert after.num_video_streams == before.num_video_streams


@pytest.mark.parametrize("make", [odd.fragmented, odd.index_first, odd.mirrored, lambda path: odd.cut_head(path, 3)])
def test_odd_mp4_keeps_frames_times_and_all_else(
    make: Callable[[Path], Path], convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    report = convert(make(tmp_path / "in.mp4"), ".mp4")
    before, after = both_facts(report)
    assert report.is_complete
    assert_same_times(before.times, after.times)
    assert_same_surroundings(before, after)


def test_frames_that_an_edit_list_hides_stay_hidden(convert: Callable[..., ConvertReport], tmp_path: Path) -> None:
    report = convert(odd.cut_head(tmp_path / "in.mp4", 3), ".mp4")
    assert (report.frames, report.is_complete) == (N - 3, True)


def test_mirrored_clip_is_seen_as_mirrored(tmp_path: Path) -> None:
    turn = VideoReader(odd.mirrored(tmp_path / "in.mp4")).info.upright_from_stored
    assert turn is not None
    assert round(np.linalg.det(turn)) == -1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_sound_that_starts_before_the_picture_moves_nothing(
    suffix: str, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    report = convert(odd.index_first(tmp_path / "in.mp4"), suffix)  # AAC in MP4 begins with a run-in before time zero
    before, after = both_facts(report)
    assert min(track.start for track in before.tracks) < 0
    assert_same_times(before.times, after.times)
    assert abs(after.tracks[0].end - before.tracks[0].end) < 0.002


@pytest.mark.parametrize(("number", "size"), [(None, (96, 128)), (0, (96, 128)), (1, (144, 192))])
def test_video_stream_that_is_chosen_is_converted_and_the_other_copied(
    number: int | None, size: tuple[int, int], convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    report = convert(odd.several_streams(tmp_path / "in.mp4"), ".mp4", video_stream=number)
    before, after = both_facts(report, number or 0)
    assert after.size == size
    assert [track.language for track in after.tracks] == ["eng", "deu"]
    assert_same_times(before.times, after.times)
    assert facts_of(report.output, 1).size == ((144, 192) if size == (96, 128) else (96, 128))
    assert says(report, "2 video streams")
    assert VideoReader(report.output).info.size == size  # players choose the converted one


def test_each_video_stream_has_a_face_index_of_its_own(convert: Callable[..., ConvertReport], tmp_path: Path) -> None:
    clip = odd.several_streams(tmp_path / "in.mp4")
    assert not convert(clip, video_stream=0).has_reused_index
    report = convert(clip, ".mp4", video_stream=1)
    assert not report.has_reused_index


def test_video_stream_that_is_not_there_is_refused(convert: Callable[..., ConvertReport], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        convert(odd.several_streams(tmp_path / "in.mp4"), video_stream=2)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (odd.audio_only, "no video stream"),
        (odd.zero_frames, "zero frames"),
        (
            lambda path: odd.joined(path.with_suffix(".ts"), [odd.SIZE, (112, 144)]),
            "changes from 128x96 .* at frame 16",
        ),
    ],
)
@pytest.mark.timeout(30)
def test_what_cannot_be_converted_is_refused_and_nothing_is_left(
    make: Callable[[Path], Path], reason: str, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedInputError, match=reason):
        convert(make(tmp_path / "in.mp4"))
    assert list((tmp_path / "outputs").iterdir()) == []


PLAIN_FORMATS = [
    ("rawvideo", "nv12", "yuv420p"),
    ("rawvideo", "yuv420p10be", "yuv420p10le"),
    ("rawvideo", "uyvy422", "yuv422p"),
    ("rawvideo", "yuv411p", "yuv411p"),
    ("ffv1", "gbrp16le", "gbrp16le"),
    ("ffv1", "gray", "yuv420p"),
    ("ffv1", "gray16le", "yuv420p16le"),
    ("ffv1", "ya8", "yuva420p"),
]


@pytest.mark.parametrize(("codec", "pix_fmt", "kept_as"), PLAIN_FORMATS)
def test_format_is_kept_in_planes(
    codec: str, pix_fmt: str, kept_as: str, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    clip = odd.plain(tmp_path / "in.nut", codec=codec, pix_fmt=pix_fmt, num_frames=3)
    report = convert(clip, codec="ffv1")
    assert report.frames == 3
    assert facts_of(report.output).pix_fmt == kept_as
    assert says(report, "neutral colour") == (pix_fmt.startswith(("gray", "ya")))
    for before, after in zip(VideoReader(clip), VideoReader(report.output), strict=True):
        for old, new in zip(before.planes, after.planes, strict=True):
            np.testing.assert_array_equal(new[:8], old[:8])  # far from the face


@pytest.mark.parametrize("pix_fmt", ["gbrpf32le", "rgb565le"])
def test_format_without_planes_of_whole_numbers_is_refused_with_the_remedy(
    pix_fmt: str, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    clip = tmp_path / "in.nut"
    with pytest.raises(UnsupportedInputError, match=f"'{pix_fmt}'.*ffmpeg -i"):
        convert(odd.plain(clip, codec="rawvideo", pix_fmt=pix_fmt, num_frames=2))


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "nv12", "gray", "yuyv422"])
def test_odd_size_is_kept(pix_fmt: str, convert: Callable[..., ConvertReport], tmp_path: Path) -> None:
    codec = "ffv1" if pix_fmt in ("yuv420p", "gray") else "rawvideo"
    report = convert(odd.plain(tmp_path / "in.nut", codec=codec, pix_fmt=pix_fmt, size=(97, 131), num_frames=3))
    assert facts_of(report.output).size == (97, 131)
    assert says(report, "131x97")


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("in.mov", "prores_ks", "yuva444p10le", {"profile": "4"}),
        ("in.webm", "libvpx-vp9", "yuva420p", WEBM_ALPHA),
        ("in.webm", "libvpx", "yuva420p", WEBM_ALPHA),
    ],
)
def test_alpha_is_kept_or_its_loss_named(
    name: str, codec: str, pix_fmt: str, options: dict[str, str], convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    clip = odd.with_alpha(tmp_path / name, codec, pix_fmt, options)
    report = convert(clip, codec="ffv1")
    assert not says(report, "alpha")
    for before, after in zip(VideoReader(clip), VideoReader(report.output), strict=True):
        assert before.planes[3].std() > 0
        np.testing.assert_array_equal(after.planes[3], before.planes[3])
    assert says(convert(clip, ".mp4"), "alpha is dropped")


@pytest.mark.parametrize("name", odd.NAMES)
def test_hostile_name_means_nothing(
    name: str, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd.plain(tmp_path / "plain.mp4", num_frames=2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    config = ConvertConfig(preset="ultrafast")
    report = convert_clip(Path(name), model, None, config=config, detector=FixedDetector())
    assert report.frames == 2
    assert len(os.fsencode(report.output.name)) <= 255
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, report.output.name, ".faceswap"])


def test_doubled_time_is_moved_and_said(convert: Callable[..., ConvertReport], tmp_path: Path) -> None:
    report = convert(odd.doubled_times(tmp_path / "in.mp4"), ".mp4")
    before, after = both_facts(report)
    assert (report.frames, report.is_complete) == (N, True)
    assert says(report, "1 frames were not later")
    assert np.count_nonzero(np.diff([float(t) for t in before.times]) == 0) == 1
    assert (np.diff([float(t) for t in after.times]) > 0).all()


def test_joined_streams_go_on_after_each_other(convert: Callable[..., ConvertReport], tmp_path: Path) -> None:
    report = convert(odd.joined(tmp_path / "in.ts", [odd.SIZE, odd.SIZE]))
    times = facts_of(report.output).times
    assert report.frames == 2 * N
    np.testing.assert_allclose(np.diff([float(t) for t in times]), 0.04, atol=0.001)
    assert says(report, "times are moved")


WHOLE: dict[str, Callable[[Path], Path]] = {
    "index.mp4": odd.index_first,
    "late-index.mp4": lambda path: odd.plain(path, audio_tracks=1),
    "fragments.mp4": odd.fragmented,
    "clip.mkv": lambda path: odd.plain(path, audio_tracks=1),
    "clip.ts": lambda path: odd.plain(path, audio_tracks=1),
    "clip.avi": odd.plain,
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.timeout(60)
def test_truncated_clip_never_passes_for_a_whole_one(
    name: str, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    whole = WHOLE[name](tmp_path / name)
    assert convert(whole).is_complete
    for clip in odd.cut_off(whole):
        outcome = outcome_of(lambda clip=clip: convert(clip, f"-{clip.stem}.mkv"))
        if isinstance(outcome, ConvertReport):
            assert not outcome.is_complete
            assert says(outcome, "cut off")
            assert len(facts_of(outcome.output).times) == outcome.frames
        else:
            assert (outcome.exit_code, clip.name in str(outcome)) == (3, True)
            assert not (tmp_path / "outputs" / f"out-{clip.stem}.mkv").exists()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["index.mp4", "clip.mkv", "clip.ts"])
@pytest.mark.timeout(30)
def test_flipped_bits_are_survived_or_refused(
    name: str, seed: int, convert: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    clip = odd.flipped(WHOLE[name](tmp_path / name), seed)
    outcome = outcome_of(lambda: convert(clip))
    if isinstance(outcome, ConvertReport):
        assert outcome.frames <= N
        assert outcome.frames == N or not outcome.is_complete
        assert len(facts_of(outcome.output).times) == outcome.frames
    else:
        assert (outcome.exit_code, clip.name in str(outcome)) == (3, True)
        assert [path.name for path in (tmp_path / "outputs").iterdir() if path.is_file()] == []


def test_pictures_that_change_their_format_stop_the_run(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "a.ts", size=odd.SIZE, num_frames=4)
    second = make_clip(tmp_path / "b.ts", size=odd.SIZE, num_frames=4, pix_fmt="yuv422p")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(UnsupportedInputError, match="to 128x96 yuv422p at frame 4"):
        list(VideoReader(both))
