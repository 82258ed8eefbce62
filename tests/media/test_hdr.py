from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import make_clip
from makers import encode_clip

from faceswap.media import hdr
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.hdr import DynamicRange, MasteringDisplay
from faceswap.media.probe import probe
from faceswap.media.reader import VideoReader

DISPLAY = MasteringDisplay(
    red=(Fraction(34000, 50000), Fraction(16000, 50000)),
    green=(Fraction(13250, 50000), Fraction(34500, 50000)),
    blue=(Fraction(7500, 50000), Fraction(3000, 50000)),
    white=(Fraction(15635, 50000), Fraction(16450, 50000)),
    min_luminance=Fraction(50, 10000),
    max_luminance=Fraction(1000),
)
HDR10 = DynamicRange(DISPLAY, (1000, 400))
PQ, HLG = (9, 16, 9, 1), (9, 18, 9, 1)


def hdr_clip(path: Path, options: str | None = None) -> Path:
    """Write a 10-bit BT.2020 PQ clip by x265 with HDR10 metadata."""
    params = options or hdr.dynamic_range_options("libx265", HDR10)["x265-params"]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx265", rate=25)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = 160, 128, "yuv420p10le"
        context.options = {"preset": "ultrafast", "x265-params": f"log-level=error:{params}"}
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = PQ
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((128, 160, 3), 60 + i, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p10le")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def rewritten(source: Path, output: Path, codec: str) -> Path:
    reader = VideoReader(source)
    encode_clip(output, reader.info, plan_encode(reader.info, output, EncodeSettings(codec)), reader)
    return output


def test_hdr10_metadata_is_read_from_the_stream(tmp_path: Path) -> None:
    assert probe(hdr_clip(tmp_path / "in.mp4")).light == HDR10


def test_sdr_has_none(tmp_path: Path) -> None:
    assert probe(make_clip(tmp_path / "in.mp4", num_frames=1)).light is None


@pytest.mark.parametrize("codec", ["h265", "h264", "av1"])
def test_hdr10_metadata_survives(tmp_path: Path, codec: str) -> None:
    info = probe(rewritten(hdr_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4", codec))
    assert (info.tags.primaries, info.tags.transfer, info.tags.matrix, info.layout.name) == (9, 16, 9, "yuv420p10le")
    assert info.light is not None
    assert info.light.light_levels == (1000, 400)
    found = info.light.mastering
    assert found is not None
    for name in ("red", "green", "blue", "white"):  # AV1 counts in other steps
        np.testing.assert_allclose(
            [*map(float, getattr(found, name))], [*map(float, getattr(DISPLAY, name))], atol=2e-5
        )
    assert float(found.max_luminance) == pytest.approx(1000, abs=0.01)
    assert float(found.min_luminance) == pytest.approx(0.005, abs=1e-4)


def test_light_levels_alone_survive(tmp_path: Path) -> None:
    source = hdr_clip(tmp_path / "in.mp4", "max-cll=600,200:hdr10=1")
    light = probe(source).light
    assert light is not None
    assert light.light_levels == (600, 200)
    again = probe(rewritten(source, tmp_path / "out.mp4", "h265")).light
    assert again is not None
    assert again.light_levels == (600, 200)


@pytest.mark.parametrize(("codec", "suffix"), [("prores", "mov"), ("ffv1", "mkv")])
def test_codecs_without_a_place_for_it_say_so(tmp_path: Path, codec: str, suffix: str) -> None:
    info = probe(hdr_clip(tmp_path / "in.mp4"))
    losses = plan_encode(info, tmp_path / f"out.{suffix}", EncodeSettings(codec)).losses
    assert any("no place for the HDR10" in loss for loss in losses)


@pytest.mark.parametrize(("codec", "suffix"), [("h265", "mp4"), ("av1", "mp4"), ("prores", "mov"), ("ffv1", "mkv")])
def test_hlg_tags_survive(tmp_path: Path, codec: str, suffix: str) -> None:
    source = make_clip(tmp_path / "in.mkv", pix_fmt="yuv420p10le", codec="ffv1", num_frames=2, color_tags=HLG)
    info = probe(rewritten(source, tmp_path / f"out.{suffix}", codec))
    assert (info.tags.primaries, info.tags.transfer, info.tags.matrix, info.tags.range) == HLG


class _Data:
    """Stands for PyAV's side data: a typed buffer."""

    def __init__(self, name: str, data: bytes) -> None:
        self.type = type("Type", (), {"name": name})()
        self._data = data

    def __bytes__(self) -> bytes:
        return self._data


def _frame(**data: bytes) -> object:
    entries = {_Data(name, value): None for name, value in data.items()}
    return type("Frame", (), {"side_data": entries})()


@pytest.mark.parametrize("data", [b"", b"\0" * 20, b"\0" * 88, b"\1\0\0\0" * 20 + b"\0" * 8])
def test_short_or_empty_metadata_counts_as_none(data: bytes) -> None:
    assert hdr.read_dynamic_range(_frame(MASTERING_DISPLAY_METADATA=data, CONTENT_LIGHT_LEVEL=data[:4])) is None


def test_dynamic_metadata_is_named_as_lost() -> None:
    frame = _frame(DYNAMIC_HDR_PLUS=b"x", DOVI_METADATA=b"x", DOVI_RPU_BUFFER=b"x")
    assert hdr.lost_metadata(frame) == ["Dolby Vision metadata", "HDR10+ metadata"]
