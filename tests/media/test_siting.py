from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from clips import make_clip

from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.probe import probe
from faceswap.media.siting import siting_of
from faceswap.media.transcode import transcode

NAMES = ["left", "center", "topleft", "top", "bottomleft", "bottom"]
H264 = {"preset": "ultrafast"}
H265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}
CASES = [
    ("libx264", "a.mp4", "yuv420p", H264),
    ("libx264", "a.mkv", "yuv420p10le", {"preset": "veryfast", "x264-params": "cqm=jvt"}),
    ("libx264", "a.mkv", "yuv420p", {"preset": "ultrafast", "profile": "baseline"}),
    ("libx264", "a.ts", "yuv420p", H264),
    ("libx265", "a.mp4", "yuv420p10le", H265),
    ("libx265", "a.mkv", "yuv420p", {"preset": "medium", "x265-params": "log-level=none:pools=1:scaling-list=default"}),
    ("libx265", "a.ts", "yuv420p", {"preset": "slow", "x265-params": "log-level=none:pools=1:temporal-layers=3"}),
]


def tagged_clip(path: Path, codec: str, pix_fmt: str, options: dict[str, str], siting: str | None) -> Path:
    muxer = {".mp4": "mp4", ".mkv": "matroska", ".ts": "mpegts"}[path.suffix]
    with av.open(str(path), "w", format=muxer) as output:
        video = output.add_stream(codec, rate=25)
        context = video.codec_context
        context.height, context.width, context.pix_fmt = 96, 128, pix_fmt
        context.colorspace, context.color_range = 1, 1
        context.options = options | ({"chroma_sample_location": siting} if siting else {})
        for i in range(8):
            picture = np.full((96, 128, 3), 60 + 10 * i, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts = i
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


@pytest.mark.parametrize("siting", [None, *NAMES])
@pytest.mark.parametrize(("codec", "name", "pix_fmt", "options"), CASES)
def test_siting_is_read_from_the_stream(
    tmp_path: Path, codec: str, name: str, pix_fmt: str, options: dict[str, str], siting: str | None
) -> None:
    path = tagged_clip(tmp_path / name, codec, pix_fmt, options, siting)
    if codec == "libx264" and siting == "left":
        siting = None  # x264 says nothing where its standard's default is meant
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert siting_of(context.name, context.extradata) == siting
    assert probe(path).color.siting == (siting or "left")


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("siting", ["center", "topleft"])
def test_siting_reaches_the_output(tmp_path: Path, codec: str, siting: str) -> None:
    source = tagged_clip(tmp_path / "a.mp4", "libx264", "yuv420p", H264, siting)
    transcode(source, tmp_path / "out.mp4", EncodeSettings(codec=codec, preset="ultrafast"))
    assert probe(tmp_path / "out.mp4").color.siting == siting


def test_centred_chroma_of_motion_jpeg_stays_centred(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", codec="mjpeg", pix_fmt="yuvj420p", num_frames=2, color_tags=(1, 1, 5, 2))
    assert probe(source).color.siting == "center"
    transcode(source, tmp_path / "out.mkv", EncodeSettings(preset="ultrafast"))
    assert probe(tmp_path / "out.mkv").color.siting == "center"


def test_formats_with_full_chroma_state_no_siting(tmp_path: Path) -> None:
    info = probe(tagged_clip(tmp_path / "a.mp4", "libx264", "yuv420p", H264, "topleft"))
    plan = plan_encode(info, tmp_path / "out.mp4", EncodeSettings(pix_fmt="yuv444p"))
    assert "chroma_sample_location" not in plan.options


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_damaged_headers_state_nothing(tmp_path: Path, codec: str) -> None:
    encoder, options = {"h264": ("libx264", H264), "hevc": ("libx265", H265)}[codec]
    path = tagged_clip(tmp_path / "a.mp4", encoder, "yuv420p", options, "topleft")
    with av.open(str(path)) as container:
        extradata = container.streams.video[0].codec_context.extradata
    assert siting_of(codec, extradata) == "topleft"
    for length in range(0, len(extradata), 3):
        assert siting_of(codec, extradata[:length]) in (None, "topleft")
    assert siting_of("vp9", extradata) is None
    for seed in range(200):
        noise = np.random.default_rng(seed).integers(0, 256, len(extradata)).astype(np.uint8)
        damaged = bytes(np.where(noise < 10, noise, np.frombuffer(extradata, np.uint8)))
        assert siting_of(codec, damaged) in (None, *NAMES)
