"""Interlaced clips from end to end, against the full-rate progressive clip that their fields were taken from."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from clips import astronaut_picture, make_clip, woven
from makers import detector, tiny_model

from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.plan import plan_convert
from faceswap.errors import UsageError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.types import Frame

SIZE = (160, 200)
LOSSLESS = ConvertConfig(codec="ffv1", match="none", grain="off", light=0)
PARITIES = {"tff": (0, 1), "bff": (1, 0)}


def full_rate(k: int) -> np.ndarray:
    return astronaut_picture(SIZE, 3.0 * k - 20)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, model: SwapModel) -> list[tuple[Frame, Frame]]:
    """The full-rate clip, before and after its own conversion."""
    folder = tmp_path_factory.mktemp("full")
    clip = make_clip(
        folder / "in.mkv", size=SIZE, num_frames=12, rate=50, pix_fmt="yuv422p", codec="ffv1", picture=full_rate
    )
    convert_clip(clip, model, folder / "out.mkv", config=LOSSLESS, detector=detector())
    return list(zip(VideoReader(clip), VideoReader(folder / "out.mkv"), strict=True))


def interlaced_clip(folder: Path, order: str, **over: object) -> Path:
    given = {"pix_fmt": "yuv422p", "codec": "ffv1", "num_frames": 6, **over}
    return make_clip(folder / "in.mkv", size=SIZE, field_order=order, picture=woven(full_rate, order), **given)


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_swapped_lines_lie_where_their_field_is(
    tmp_path: Path, model: SwapModel, reference: list[tuple[Frame, Frame]], order: str
) -> None:
    clip = interlaced_clip(tmp_path, order)
    report = convert_clip(clip, model, tmp_path / "out.mkv", config=LOSSLESS, detector=detector())
    assert report.faces == 6
    assert VideoReader(tmp_path / "out.mkv").info.field_order == order
    errors = {"own": [], "other": []}
    for frame in VideoReader(tmp_path / "out.mkv"):
        for place, parity in enumerate(PARITIES[order]):
            before, after = (f.planes[0][parity::2].astype(float) for f in reference[2 * frame.index + place])
            _, other = (f.planes[0][parity::2].astype(float) for f in reference[2 * frame.index + 1 - place])
            lines = frame.planes[0][parity::2]
            inside = np.abs(after - before) > 8
            assert inside.mean() > 0.01
            errors["own"].append(np.abs(lines - after)[inside].mean())
            errors["other"].append(np.abs(lines - other)[inside].mean())
    assert np.mean(errors["own"]) < 0.6 * np.mean(errors["other"]), errors


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(
    ("codec", "name", "pix_fmt"),
    [
        ("libx264", "out.mp4", "yuv420p"),
        ("libx264", "out.mkv", "yuv422p10le"),
        ("prores_ks", "out.mov", "yuv422p10le"),
        ("ffv1", "out.mkv", "yuv420p"),
    ],
)
def test_field_order_survives(
    tmp_path: Path, model: SwapModel, order: str, codec: str, name: str, pix_fmt: str
) -> None:
    clip = interlaced_clip(tmp_path, order, pix_fmt=pix_fmt, num_frames=3)
    convert_clip(clip, model, tmp_path / name, config=ConvertConfig(codec=codec), detector=detector())
    assert VideoReader(tmp_path / name).info.field_order == order
    with av.open(str(tmp_path / name)) as output:
        stream = output.streams.video[0]
        assert all(frame.interlaced_frame for frame in output.decode(stream))
        assert stream.codec_context.field_order in {"tff": (2, 4), "bff": (3, 5)}[order]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_samples_away_from_the_face_are_bit_exact(tmp_path: Path, model: SwapModel, pix_fmt: str) -> None:
    clip = interlaced_clip(tmp_path, "bff", pix_fmt=pix_fmt, num_frames=2)
    convert_clip(clip, model, tmp_path / "out.mkv", config=LOSSLESS, detector=detector())
    for before, after in zip(VideoReader(clip), VideoReader(tmp_path / "out.mkv"), strict=True):
        for a, b in zip(before.planes, after.planes, strict=True):
            changed = a != b
            assert 0.005 < changed.mean() < 0.3
            rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
            assert rows.max() - rows.min() < 0.6 * a.shape[0]
            assert columns.max() - columns.min() < 0.5 * a.shape[1]


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1"])
def test_encoders_that_lose_the_fields_are_refused_with_the_remedy(
    tmp_path: Path, model: SwapModel, codec: str
) -> None:
    clip = interlaced_clip(tmp_path, "tff", num_frames=1)
    with pytest.raises(UsageError, match=r"interlaced.*use --codec libx264.*deinterlace"):
        plan_convert(clip, model, tmp_path / "out.mkv", config=ConvertConfig(codec=codec))


def test_user_can_overrule_the_tags(tmp_path: Path, model: SwapModel) -> None:
    clip = interlaced_clip(tmp_path, "tff", num_frames=1)

    def planned(said: str) -> tuple[str | None, str | None]:
        config = ConvertConfig.model_validate({"interlaced": said})
        plan = plan_convert(clip, model, tmp_path / "out.mkv", config=config)
        return plan.field_order, plan.encode.field_order

    assert planned("auto") == ("tff", "tff")
    assert planned("bff") == ("bff", "bff")
    assert planned("progressive") == (None, "tff")
