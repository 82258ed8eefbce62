from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import make_clip, truncated

from faceswap.errors import UsageError
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.reader import VideoReader, open_clip
from faceswap.media.transcode import transcode


def rewritten(source: Path, output: Path, settings: EncodeSettings) -> Path:
    transcode(source, output, settings)
    return output


def test_odd_size_is_kept_by_storing_full_chroma(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", size=(121, 161), codec="ffv1", num_frames=3)
    output = rewritten(source, tmp_path / "out.mp4", EncodeSettings())
    info = open_clip(output).info
    assert (info.size, info.layout.name) == ((121, 161), "yuv444p")
    assert any(
        "keeps the size" in loss for loss in plan_encode(VideoReader(source).info, output, EncodeSettings()).losses
    )


def test_transport_stream_keeps_times(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", num_frames=20)
    output = rewritten(source, tmp_path / "out.ts", EncodeSettings(preset="medium"))
    before, after = ([frame.time.seconds for frame in open_clip(path)] for path in (source, output))
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_rgb_clip_keeps_its_colours_in_yuv(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:] = (200, 80, 30)
    source = make_clip(
        tmp_path / "in.mkv", size=(64, 64), pix_fmt="bgr0", codec="ffv1", num_frames=2, picture=lambda _: picture
    )
    output = rewritten(source, tmp_path / "out.mp4", EncodeSettings(crf=1))
    from faceswap import color

    frame = next(iter(open_clip(output)))
    assert frame.color.matrix == "bt709"
    codes = np.array([plane[20, 20] for plane in frame.planes], dtype=np.float32)
    rgb = color.transform(codes[:, None], color.rgb_from_codes(frame.color)).ravel() * 255
    np.testing.assert_allclose(rgb, [200, 80, 30], atol=3)


def test_webm_with_h264_is_refused(tmp_path: Path) -> None:
    info = VideoReader(make_clip(tmp_path / "in.mp4", num_frames=1)).info
    with pytest.raises(UsageError, match="WebM cannot hold"):
        plan_encode(info, tmp_path / "out.webm", EncodeSettings())


def test_rotation_that_a_container_cannot_hold_is_named(tmp_path: Path) -> None:
    info = VideoReader(make_clip(tmp_path / "in.mp4", rotation=90, num_frames=1)).info
    assert any("rotation" in loss for loss in plan_encode(info, tmp_path / "out.ts", EncodeSettings()).losses)


def test_cut_off_clip_gives_all_frames_before_the_cut(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "in.ts", num_frames=60)
    frames = list(open_clip(truncated(whole, 0.5)))
    assert 20 <= len(frames) < 60
