"""Masks from end to end: painted masks with several processes, after a stop, on interlaced clips; errors before rendering."""

from __future__ import annotations

import hashlib
from pathlib import Path

import convert_job
import cv2
import numpy as np
import pytest
from clips import astronaut_picture, make_clip, woven
from makers import detector, tiny_model

from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip, plan_convert
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel

SIZE = (160, 200)
LOSSLESS = {"codec": "ffv1", "match": "none"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder: Path) -> SwapModel:
    return SwapModel.load(folder, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "in.mkv"
    return make_clip(path, size=SIZE, num_frames=10, codec="ffv1", picture=lambda i: astronaut_picture(SIZE, 2.0 * i))


def paint(path: Path, size: tuple[int, int] = SIZE, black: slice = slice(0, 0)) -> Path:
    mask = np.full(size, 255, dtype=np.uint8)
    mask[:, black] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)
    return path


def converted(clip: Path, model: SwapModel, output: Path, **over: object) -> list[np.ndarray]:
    """Return which luma samples of each frame are changed."""
    config = ConvertConfig.model_validate({**LOSSLESS, **over})
    report = convert_clip(clip, model, output, config=config, detector=detector())
    assert report.faces > 0
    pairs = zip(VideoReader(clip), VideoReader(output), strict=True)
    return [before.planes[0] != after.planes[0] for before, after in pairs]


def test_painted_masks_reach_the_clip(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    plain = converted(clip, model, tmp_path / "plain.mkv")
    middle = int(np.mean([np.flatnonzero(changed.any(axis=0)).mean() for changed in plain]))
    for number in range(10):
        paint(tmp_path / "masks" / f"{number:06d}.png", black=slice(middle, None))
    masked = converted(clip, model, tmp_path / "masked.mkv", mask=str(tmp_path / "masks"))
    for before, after in zip(plain, masked, strict=True):
        assert before[:, middle + 2 :].any()
        assert not after[:, middle + 2 :].any()
        assert after[:, : middle - 2].any()


def test_report_says_where_painted_masks_are_carried_on(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    paint(tmp_path / "masks" / "4.png", black=slice(0, None))
    config = ConvertConfig.model_validate({**LOSSLESS, "mask": str(tmp_path / "masks")})
    report = convert_clip(clip, model, tmp_path / "out.mkv", config=config, detector=detector())
    assert any("frames before 4 and after 4 take the nearest one" in note for note in report.notes)
    for before, after in zip(VideoReader(clip), VideoReader(tmp_path / "out.mkv"), strict=True):
        np.testing.assert_array_equal(before.planes[0], after.planes[0])


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_painted_masks_hold_in_both_fields(model: SwapModel, tmp_path: Path, order: str) -> None:
    clip = make_clip(
        tmp_path / "in.mkv",
        size=SIZE,
        num_frames=4,
        field_order=order,
        pix_fmt="yuv422p",
        codec="ffv1",
        picture=woven(lambda k: astronaut_picture(SIZE, 3.0 * k - 10), order),
    )
    plain = converted(clip, model, tmp_path / "plain.mkv")
    middle = int(np.mean([np.flatnonzero(changed.any(axis=0)).mean() for changed in plain]))
    file = paint(tmp_path / "half.png", black=slice(middle, None))
    for before, after in zip(plain, converted(clip, model, tmp_path / "m.mkv", mask=str(file)), strict=True):
        for parity in (0, 1):
            assert before[parity::2, middle + 2 :].any()
            assert not after[parity::2, middle + 2 :].any()
            assert after[parity::2, : middle - 2].any()


def test_masks_that_do_not_fit_are_refused_before_anything_is_analysed(
    clip: Path, model: SwapModel, tmp_path: Path
) -> None:
    def plan(**over: object) -> None:
        plan_convert(clip, model, tmp_path / "out.mkv", config=ConvertConfig.model_validate(over))

    with pytest.raises(UsageError, match="has 100x80 px, the clip 200x160"):
        plan(mask=str(paint(tmp_path / "small.png", (80, 100))))
    with pytest.raises(UsageError, match="no painted masks"):
        plan(mask=str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="--mask-use replace needs painted masks"):
        plan(mask_use="replace")
    (tmp_path / "x.onnx").write_bytes(b"x")
    with pytest.raises(UnsupportedInputError, match="not an ONNX file"):
        plan(segmenter=str(tmp_path / "x.onnx"))


def test_what_the_faces_do_not_show_is_refused_before_rendering(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    paint(tmp_path / "masks" / "99.png")
    for over, message in (
        ({"mask": str(tmp_path / "masks")}, "painted for frame 99, but the clip has the frames 0 to 9"),
        ({"keep": "teeth"}, "teeth cannot be kept"),
    ):
        config = ConvertConfig.model_validate({**LOSSLESS, **over})
        with pytest.raises(UsageError, match=message):
            convert_clip(clip, model, tmp_path / "out.mkv", config=config, detector=detector())
        assert not (tmp_path / "out.mkv").exists()


def test_unknown_parts_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="keep"):
        ConvertConfig.model_validate({"keep": "eyes,ears"})


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_masks_are_the_same_with_more_processes_and_after_a_stop(folder: Path, tmp_path: Path) -> None:
    """Painted key frames, kept parts and occlusion, in segments of 16 frames."""
    clip = convert_job.make_long_clip(tmp_path / "in.mkv", 64)
    for number in (5, 37, 60):
        paint(tmp_path / "masks" / f"{number}.png", convert_job.SIZE, black=slice(70, 80))
    settings = {"mask": str(tmp_path / "masks"), "keep": ("mouth",)}
    outputs = [tmp_path / f"{name}.mkv" for name in ("one", "two", "stopped")]
    for output, jobs in zip(outputs, (1, 2, 1), strict=True):
        hold = 2 if output.stem == "stopped" else None
        process = convert_job.start(clip, folder, output, jobs=jobs, hold=hold, **settings)
        if hold:
            convert_job.wait_until_held(process, output)
            process.kill()
            process.join()
            process = convert_job.start(clip, folder, output, **settings)
        process.join()
        assert process.exitcode == 0, convert_job.said_by(output).read_text()
    assert len({digest(output) for output in outputs}) == 1


def test_other_masks_are_another_job(folder: Path, tmp_path: Path) -> None:
    """Segments that were finished with other painted masks are not taken for this job's."""
    clip = convert_job.make_long_clip(tmp_path / "in.mkv", 48)
    file = paint(tmp_path / "mask.png", convert_job.SIZE)
    output, fresh = tmp_path / "out.mkv", tmp_path / "fresh.mkv"
    process = convert_job.start(clip, folder, output, hold=2, mask=str(file))
    convert_job.wait_until_held(process, output)
    process.kill()
    process.join()
    paint(file, convert_job.SIZE, black=slice(0, 80))
    for path in (output, fresh):
        process = convert_job.start(clip, folder, path, mask=str(file))
        process.join()
        assert process.exitcode == 0
    assert digest(output) == digest(fresh)
