from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from makers import encode_clip

from faceswap.errors import FaceswapError, UsageError
from faceswap.media import encoders
from faceswap.media.encode import VideoEncoder
from faceswap.media.encode_plan import EncodePlan, EncodeSettings, default_output, plan_encode
from faceswap.media.encoders import find_encoder
from faceswap.media.probe import ClipInfo, probe
from faceswap.media.reader import VideoReader
from faceswap.media.rgb import rgb_values


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    return probe(make_clip(tmp_path_factory.mktemp("clip") / "in.mp4", size=(128, 256), num_frames=1))


def planned(info: ClipInfo, name: str, codec: str, **settings: object) -> EncodePlan:
    return plan_encode(info, Path(name), EncodeSettings(codec, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "ffmpeg", "profile"),
    [
        ("h264", "libx264", None),
        ("h265", "libx265", None),
        ("hevc", "libx265", None),
        ("av1", "libsvtav1", None),
        ("prores", "prores_ks", "hq"),
        ("prores_ks", "prores_ks", "hq"),
        ("prores4444", "prores_ks", "4444"),
        ("dnxhr", "dnxhd", None),
        ("mpeg4", "mpeg4", None),
    ],
)
def test_friendly_names_stand_for_ffmpegs(name: str, ffmpeg: str, profile: str | None) -> None:
    row, found = find_encoder(name)
    assert (row.name, found) == (ffmpeg, profile)


@pytest.mark.parametrize(
    ("name", "codec", "settings", "message"),
    [
        ("o.mp4", "h264", {"crf": 52}, "use 0 .best. to 51"),
        ("o.mp4", "av1", {"crf": 0}, "use 1 .best. to 63"),
        ("o.mov", "mjpeg", {"crf": 1}, "use 2 .best. to 31"),
        ("o.mov", "prores", {"crf": 18}, "--crf means nothing to prores_ks"),
        ("o.mp4", "h264", {"preset": "5"}, "use one of ultrafast, superfast"),
        ("o.mp4", "av1", {"preset": "12"}, "use one of 0, 1, 2"),
        ("o.mov", "prores", {"profile": "hqx"}, "ProRes has no profile 'hqx'; use one of proxy, lt, 422, hq"),
        ("o.mp4", "h264", {"profile": "high"}, "--profile means nothing to libx264"),
        ("o.mp4", "prores", {}, "MP4 cannot hold ProRes; use an output in .mov, or --codec h264"),
        ("o.mkv", "dnxhr", {}, "Matroska cannot hold DNxHR; use an output in .mov"),
        ("o.mov", "av1", {}, "QuickTime cannot hold AV1; use an output in .mp4"),
        ("o.ts", "ffv1", {}, "MPEG-TS cannot hold FFV1; use an output in .mkv, or --codec h264 or h265 or hevc"),
        ("o.mov", "proress", {}, "did you mean prores"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_remedy(
    info: ClipInfo, name: str, codec: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(info, name, codec, **settings)


@pytest.mark.parametrize(
    ("name", "codec", "settings", "expected"),
    [
        ("o.mp4", "h264", {}, {"crf": "18"}),
        ("o.mp4", "av1", {"crf": 30, "preset": "slow"}, {"crf": "30", "preset": "4"}),
        ("o.mp4", "av1", {"preset": "7"}, {"crf": "20", "preset": "7"}),
        ("o.mov", "mjpeg", {"crf": 5}, {"qmin": "5", "qmax": "5"}),
        ("o.mov", "prores", {"profile": "lt"}, {"profile": "lt", "vendor": "apl0"}),
        ("o.mov", "dnxhr", {}, {"profile": "dnxhr_hq"}),
        ("o.mov", "dnxhr", {"pix_fmt": "yuv422p10le"}, {"profile": "dnxhr_hqx"}),
    ],
)
def test_settings_become_the_encoders_own(
    info: ClipInfo, name: str, codec: str, settings: dict[str, object], expected: dict[str, str]
) -> None:
    options = planned(info, name, codec, **settings).options
    assert {key: options.get(key) for key in expected} == expected


def test_a_lower_crf_gives_a_larger_file_with_every_scale(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", size=(128, 256), codec="ffv1", num_frames=3)
    reader = VideoReader(source)
    for codec in ("h264", "av1", "mjpeg", "vp9"):
        sizes = []
        for crf in (8, 30):
            output = tmp_path / f"{codec}-{crf}.mkv"
            encode_clip(output, reader.info, planned(reader.info, str(output), codec, crf=crf), reader)
            sizes.append(output.stat().st_size)
        assert sizes[0] > 1.2 * sizes[1], codec


def test_hardware_that_is_not_there_is_refused_with_the_software_encoder(
    info: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "_hardware_fault", lambda name, pix_fmt: "no such device")
    with pytest.raises(UsageError, match=r"hevc_nvenc cannot encode yuv420p .*no such device.*use --codec h265"):
        planned(info, "o.mp4", "hevc_nvenc")


def test_hardware_takes_ten_bits_interleaved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_hardware_fault", lambda name, pix_fmt: None)
    clip = make_clip(tmp_path / "in.mkv", pix_fmt="yuv420p10le", codec="ffv1", num_frames=1)
    plan = planned(probe(clip), "o.mp4", "hevc_nvenc", crf=25, preset="medium")
    assert (plan.pix_fmt, plan.layout.chroma_shift, plan.losses) == ("p010le", (1, 1), ())
    assert {**plan.options} == {"rc": "vbr", "cq": "25", "b": "0", "preset": "p4"}


def test_trying_hardware_gives_a_reason_or_works() -> None:
    fault = encoders._hardware_fault("h264_nvenc", "yuv420p")
    assert fault is None or fault.strip()


def test_small_pictures_are_refused_by_dnxhr(tmp_path: Path) -> None:
    small = probe(make_clip(tmp_path / "in.mp4", num_frames=1))
    with pytest.raises(UsageError, match="DNxHR takes pictures from 256x120 px, the clip has 160x120"):
        planned(small, "o.mov", "dnxhr")


@pytest.mark.parametrize("codec", ["prores", "dnxhr"])
def test_full_range_becomes_studio_range_where_the_stream_cannot_say_it(tmp_path: Path, codec: str) -> None:
    picture = np.full((128, 256, 3), 255, np.uint8)
    picture[:, :128] = 0
    source = make_clip(
        tmp_path / "in.mkv",
        size=(128, 256),
        codec="ffv1",
        num_frames=1,
        color_tags=(1, 1, 1, 2),
        picture=lambda _: picture,
    )
    reader = VideoReader(source)
    frame = next(iter(reader))
    plan = planned(reader.info, "o.mov", codec)
    assert any("full range becomes studio range" in loss for loss in plan.losses)
    encode_clip(tmp_path / "o.mov", reader.info, plan, [frame])
    after = next(iter(VideoReader(tmp_path / "o.mov")))
    step = 2 ** (after.color.bit_depth - 8)
    for x in (20, 230):
        expected = 16 + int(frame.planes[0][60, x]) * 219 / 255
        assert after.planes[0][60, x] / step == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("codec", "matrix", "number"), [("dnxhr", "bt709", 1), ("mjpeg", "bt601", 5)])
def test_clip_is_brought_to_the_one_matrix_that_a_stream_can_name(
    tmp_path: Path, codec: str, matrix: str, number: int
) -> None:
    picture = np.zeros((128, 256, 3), np.uint8)
    picture[:] = (60, 180, 90)
    clip = make_clip(
        tmp_path / "in.mkv",
        size=(128, 256),
        codec="ffv1",
        num_frames=1,
        color_tags=(9, 16, 9, 1),
        picture=lambda _: picture,
    )
    reader = VideoReader(clip)
    plan = planned(reader.info, "o.mov", codec)
    assert any(f"bt2020 becomes {matrix}" in loss for loss in plan.losses)
    after = next(iter(VideoReader(encode_clip(tmp_path / "o.mov", reader.info, plan, reader))))
    assert after.color.matrix == matrix
    assert (plan.tags.primaries, plan.tags.transfer, plan.tags.matrix) == (9, 16, number)
    before = rgb_values(next(iter(reader)))
    np.testing.assert_allclose(rgb_values(after).mean(axis=(1, 2)), before.mean(axis=(1, 2)), atol=0.01)


def test_prores_keeps_the_matrix(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", size=(128, 256), codec="ffv1", num_frames=1, color_tags=(9, 16, 9, 1))
    plan = planned(probe(clip), "o.mov", "prores")
    assert (plan.color.matrix, plan.tags.matrix) == ("bt2020", 9)


@pytest.mark.parametrize(
    ("source", "codec", "expected"),
    [
        ("a.mov", "prores", "a_x.mov"),
        ("a.mp4", "prores", "a_x.mov"),
        ("a.mkv", "prores", "a_x.mkv"),
        ("a.mkv", "dnxhr", "a_x.mov"),
        ("a.mov", "ffv1", "a_x.mkv"),
        ("a.mov", "av1", "a_x.mkv"),
        ("a.avi", "h264", "a_x.mkv"),
        ("a.webm", "av1", "a_x.webm"),
    ],
)
def test_default_output_is_a_container_that_holds_the_codec(source: str, codec: str, expected: str) -> None:
    assert default_output(Path(source), "_x", codec) == Path(expected)


def test_an_encoder_that_fails_at_the_end_is_named(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", codec="ffv1", num_frames=2)
    reader = VideoReader(clip)
    encoder = VideoEncoder(reader.info, plan_encode(reader.info, tmp_path / "out.mkv", EncodeSettings("ffv1")))
    assert encoder.finish() == []
    for frame in reader:
        encoder.encode(frame)
    encoder.finish()
    with pytest.raises(FaceswapError, match="ffv1 failed at the end of its 2 frames"):
        encoder.finish()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EncodeSettings("prores4444", profile="hq"), "use --codec prores --profile hq"),
        (EncodeSettings("libx264", pix_fmt="foo"), "no format of planes"),
        (EncodeSettings("libx264", pix_fmt="rgb24"), "no format of planes|cannot encode 'rgb24'"),
    ],
)
def test_settings_that_contradict_are_refused(tmp_path: Path, settings: EncodeSettings, message: str) -> None:
    info = VideoReader(make_clip(tmp_path / "in.mp4", num_frames=1)).info
    with pytest.raises(UsageError, match=message):
        plan_encode(info, tmp_path / "out.mov", settings)


def test_depth_given_up_on_request_is_said(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=1, pix_fmt="yuv420p10le", color_tags=(9, 16, 9, 1))
    plan = plan_encode(VideoReader(clip).info, tmp_path / "out.mp4", EncodeSettings("libx264", pix_fmt="yuv420p"))
    assert "10 bit becomes 8 bit" in plan.losses
    assert any("show bands" in loss for loss in plan.losses)
