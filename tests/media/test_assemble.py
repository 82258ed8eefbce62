"""Writing keeps what the source had: checked by reading back, not by trusting the encoder."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import make_clip

from faceswap.errors import ShapeError, UsageError
from faceswap.media.encode import VideoEncoder
from faceswap.media.encode_plan import EncodeSettings, default_output, plan_encode
from faceswap.media.planes import convert_planes
from faceswap.media.reader import VideoReader, open_clip
from faceswap.media.transcode import transcode


def rewrite(source: Path, output: Path, settings: EncodeSettings | None = None) -> list[str]:
    """Decode and encode a clip as it is; return the streams that were dropped."""
    metadata = {"title": "kept", "shot": "12A"}
    return transcode(source, output, settings or EncodeSettings(preset="veryfast"), metadata=metadata)


LOSSLESS = EncodeSettings(codec="ffv1")


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_lossless_rewrite_is_bit_exact(tmp_path: Path, pix_fmt: str) -> None:
    source = make_clip(tmp_path / "in.mkv", pix_fmt=pix_fmt, codec="ffv1", num_frames=3)
    rewrite(source, tmp_path / "out.mkv", LOSSLESS)
    for before, after in zip(open_clip(source), open_clip(tmp_path / "out.mkv"), strict=True):
        for a, b in zip(before.planes, after.planes, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("pix_fmt", "to_fmt"),
    [("yuv420p10le", "yuv420p"), ("yuv422p", "yuv420p10le"), ("yuv420p", "gbrp10le"), ("gbrp10le", "yuv444p")],
)
def test_another_pixel_format_is_reached_by_our_own_arithmetic(tmp_path: Path, pix_fmt: str, to_fmt: str) -> None:
    source = make_clip(tmp_path / "in.mkv", pix_fmt=pix_fmt, codec="ffv1", num_frames=2)
    settings = EncodeSettings(codec="ffv1", pix_fmt=to_fmt)
    rewrite(source, tmp_path / "out.mkv", settings)
    before, after = open_clip(source), open_clip(tmp_path / "out.mkv")
    plan = plan_encode(before.info, tmp_path / "out.mkv", settings)
    assert after.info.layout.name == to_fmt
    assert (after.info.color.matrix == "rgb") == to_fmt.startswith("gbrp")
    for old, new in zip(before, after, strict=True):
        expected = convert_planes(old.planes, old.layout, old.color, plan.layout, plan.color)
        for a, b in zip(expected, new.planes, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_variable_times_survive(tmp_path: Path, container: str) -> None:
    source = make_clip(tmp_path / "in.mp4", times=[0, 3003, 9001, 9100, 20000, 50007])
    rewrite(source, tmp_path / f"out.{container}")
    before, after = (
        [f.time.pts * f.time.time_base for f in open_clip(p)] for p in (source, tmp_path / f"out.{container}")
    )
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= (
        Fraction(1, 1000) if container == "mkv" else 0
    )


def test_rotation_aspect_tags_and_depth_survive(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mp4",
        rotation=90,
        pixel_aspect=Fraction(4, 3),
        color_tags=(9, 16, 9, 1),
        pix_fmt="yuv420p10le",
        num_frames=2,
    )
    rewrite(source, tmp_path / "out.mp4")
    before, after = (open_clip(p).info for p in (source, tmp_path / "out.mp4"))
    for name in ("display_matrix", "pixel_aspect", "tags", "layout", "size", "time_base"):
        assert getattr(after, name) == getattr(before, name), name


def test_all_audio_is_copied_packet_for_packet(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", audio_tracks=2, num_frames=30)
    assert rewrite(source, tmp_path / "out.mp4") == []
    assert _packets(tmp_path / "out.mp4", "audio") == _packets(source, "audio")


def _packets(path: Path, kind: str) -> list[tuple[int, Any, bytes]]:
    with av.open(str(path)) as container:
        streams = [s for s in container.streams if s.type == kind]
        order = {s.index: i for i, s in enumerate(streams)}
        found = [(order[p.stream_index], p.pts, bytes(p)) for p in container.demux(streams) if p.size]
    assert found
    return sorted(found, key=lambda entry: entry[:2])


def test_subtitles_and_chapters_are_copied(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", subtitles=True, chapters=[(0, 0.2, "one"), (0.2, 0.4, "two")])
    rewrite(source, tmp_path / "out.mkv")
    assert _packets(tmp_path / "out.mkv", "subtitle") == _packets(source, "subtitle")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one", "two"]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_metadata_is_written_under_any_key(tmp_path: Path, container: str) -> None:
    rewrite(make_clip(tmp_path / "in.mp4", num_frames=2), tmp_path / f"out.{container}")
    with av.open(str(tmp_path / f"out.{container}")) as opened:
        found = {key.lower(): value for key, value in opened.metadata.items()}
    assert (found["title"], found["shot"]) == ("kept", "12A")


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", audio_tracks=1)
    for name in ("a.mkv", "b.mkv"):
        rewrite(source, tmp_path / name)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    small, large = (VideoReader(make_clip(tmp_path / f"{n}.mp4", size=(n, n), num_frames=1)) for n in (64, 96))
    encoder = VideoEncoder(small.info, plan_encode(small.info, tmp_path / "out.mp4", EncodeSettings()))
    with pytest.raises(ShapeError):
        encoder.encode(next(iter(large)))


@pytest.mark.parametrize(
    ("settings", "name", "message"),
    [
        (EncodeSettings(), "out.gif", "unknown kind of file"),
        (EncodeSettings(codec="nope"), "out.mp4", "no encoder 'nope'"),
        (EncodeSettings(codec="ffv1", crf=20), "out.mkv", "--crf means nothing"),
        (EncodeSettings(codec="ffv1", preset="fast"), "out.mkv", "--preset means nothing"),
        (EncodeSettings(pix_fmt="yuv411p"), "out.mp4", "cannot encode 'yuv411p'"),
    ],
)
def test_impossible_settings_are_refused_before_work(
    tmp_path: Path, settings: EncodeSettings, name: str, message: str
) -> None:
    info = VideoReader(make_clip(tmp_path / "in.mp4", num_frames=1)).info
    with pytest.raises(UsageError, match=message):
        plan_encode(info, tmp_path / name, settings)


def test_settings_only_the_encoder_can_judge_are_refused_at_the_first_frame(tmp_path: Path) -> None:
    reader = VideoReader(make_clip(tmp_path / "in.mp4", num_frames=1))
    plan = plan_encode(reader.info, tmp_path / "out.mp4", EncodeSettings())
    plan = replace(plan, options={**plan.options, "preset": "nonsense"})
    with pytest.raises(UsageError, match="nonsense"):
        VideoEncoder(reader.info, plan).encode(next(iter(reader)))


def test_depth_that_an_encoder_lacks_is_named_as_lost(tmp_path: Path) -> None:
    info = VideoReader(make_clip(tmp_path / "in.mkv", pix_fmt="yuv422p10le", codec="ffv1", num_frames=1)).info
    plan = plan_encode(info, tmp_path / "out.mp4", EncodeSettings(codec="libsvtav1"))
    assert plan.pix_fmt == "yuv420p10le"
    assert plan.losses == ("chroma resolution is reduced",)


@pytest.mark.parametrize(("name", "expected"), [("a.mov", "a_x.mov"), ("a.webm", "a_x.mkv"), ("a.avi", "a_x.mkv")])
def test_default_output_stays_in_the_container_family(name: str, expected: str) -> None:
    assert default_output(Path(name), "_x") == Path(expected)


@pytest.mark.parametrize("num_frames", [1, 2, 3])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_very_short_clips_get_sound_decoding_times(tmp_path: Path, num_frames: int, suffix: str) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", num_frames=num_frames)
    for attempt in range(3):  # x265 gives such clips times from memory that it never wrote: not every time alike
        output = tmp_path / f"out{attempt}.{suffix}"
        rewrite(source, output, EncodeSettings("h265", preset="ultrafast"))
        assert len(list(open_clip(output))) == num_frames
        with av.open(str(output)) as container:
            known = [p for p in container.demux(video=0) if p.size and p.dts is not None]
            assert all(-1 < p.dts * p.time_base <= p.pts * p.time_base for p in known)
