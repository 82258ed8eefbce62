"""Whole conversions that deliver more than a clip."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, make_clip, woven
from makers import detector, tiny_model
from signed import content_of

from faceswap.convert import assembly, make
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.plan import plan_convert
from faceswap.convert.report import ConvertReport
from faceswap.errors import FaceswapError, ProvenanceError, ResourceError, UsageError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.verify import verify_clip, verify_folder

SIZE = (160, 200)
NUM_FRAMES = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(
        tmp_path / "in.mkv",
        size=SIZE,
        num_frames=NUM_FRAMES,
        codec="ffv1",
        color_tags=(1, 1, 1, 1),
        audio_tracks=1,
        picture=lambda i: astronaut_picture(SIZE, 2.0 * i),
    )


def converted(
    clip: Path, model: SwapModel, output: Path, *, overwrite: bool = False, **config: object
) -> ConvertReport:
    settings = ConvertConfig.model_validate({"codec": "ffv1", **config})
    return convert_clip(clip, model, output, config=settings, detector=detector(), overwrite=overwrite)


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_everything_is_delivered_marked_and_complete(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    report = converted(clip, model, tmp_path / "out.mkv", deliver="clip,overlay,matte,raw")
    assert visible(tmp_path) == {"in.mkv", "out.c2pa", "out.mkv", "out_overlay.mov", "out_matte.mov", "out_raw.mov"}
    assert [path.name for path in report.delivered] == ["out.mkv", "out_overlay.mov", "out_matte.mov", "out_raw.mov"]
    source = list(VideoReader(clip))
    for path in report.delivered:
        assert verify_clip(path).verdict == "intact", path
        frames = list(VideoReader(path))
        assert [f.time.seconds for f in frames] == pytest.approx([f.time.seconds for f in source], abs=1e-3)


def test_delivered_overlay_over_the_source_gives_the_delivered_clip(
    clip: Path, model: SwapModel, tmp_path: Path
) -> None:
    converted(clip, model, tmp_path / "out.mkv", deliver="clip,overlay", match="none")
    triples = zip(
        VideoReader(clip), VideoReader(tmp_path / "out.mkv"), VideoReader(tmp_path / "out_overlay.mov"), strict=True
    )
    for source, result, overlay in triples:
        alpha = overlay.planes[3] / 4095
        luma = 16 + (source.planes[0] - 16.0) * (1 - alpha) + (overlay.planes[0] / 16 - 16)
        error = np.abs(luma - result.planes[0])
        assert alpha.max() > 0.3  # as far as an untrained network trusts its mask
        assert error.mean() < 0.3  # ProRes itself is lossy
        assert error.max() < 8


def test_overlay_of_an_interlaced_clip_fits_line_for_line(model: SwapModel, tmp_path: Path) -> None:
    full_rate = lambda n: astronaut_picture(SIZE, 4.0 * n)  # noqa: E731 - fields that differ visibly
    clip = make_clip(
        tmp_path / "in.mkv", size=SIZE, num_frames=3, codec="ffv1", field_order="tff", picture=woven(full_rate, "tff")
    )
    converted(clip, model, tmp_path / "out.mkv", deliver="clip,overlay,matte", match="none")
    frames = zip(
        VideoReader(clip), VideoReader(tmp_path / "out.mkv"), VideoReader(tmp_path / "out_overlay.mov"), strict=True
    )
    for source, result, overlay in frames:
        luma = 16 + (source.planes[0] - 16.0) * (1 - overlay.planes[3] / 4095) + (overlay.planes[0] / 16 - 16)
        assert np.abs(luma - result.planes[0]).mean() < 0.4
    assert VideoReader(tmp_path / "out_matte.mov").info.field_order == "tff"


def test_overlay_alone_needs_no_clip(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    report = converted(clip, model, tmp_path / "out.mkv", deliver="overlay", copy_untouched=True)
    assert visible(tmp_path) == {"in.mkv", "out_overlay.mov"}
    assert report.checks["frames"] == f"{NUM_FRAMES} of {NUM_FRAMES}"
    assert any("nothing was copied" in note for note in report.notes)


@pytest.mark.parametrize("kind", ["png", "tiff", "exr"])
def test_clip_as_marked_pictures(clip: Path, model: SwapModel, tmp_path: Path, kind: str) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    converted(clip, model, tmp_path / "out", codec=kind)
    report = verify_folder(tmp_path / "out")
    assert (report.num_pictures, report.is_whole, len(report.marks)) == (NUM_FRAMES, True, 1)
    assert (tmp_path / "out" / "frames.c2pa").exists() == (kind == "exr")
    table = json.loads((tmp_path / "out" / "frames.json").read_bytes())
    assert [row["frame"] for row in table["frames"]] == list(range(NUM_FRAMES))


def test_pictures_show_the_swapped_face(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    converted(clip, model, tmp_path / "out", codec="png")
    converted(clip, model, tmp_path / "out.mkv")
    picture = cv2.imread(str(tmp_path / "out" / "000003.png")).astype(float)
    before = cv2.cvtColor(astronaut_picture(SIZE, 6.0), cv2.COLOR_RGB2BGR).astype(float)
    error = np.abs(picture - before).mean(axis=2)
    assert error.max() > 30  # an untrained network is far off
    assert np.median(error) < 3


def test_names_by_pattern_go_beside_other_files(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    (tmp_path / "shot_notes.txt").write_text("mine")
    converted(clip, model, tmp_path / "shot_%04d.png")
    names = {f"shot_{i:04d}.png" for i in range(NUM_FRAMES)}
    assert visible(tmp_path) == names | {"in.mkv", "shot_frames.json", "shot_notes.txt"}
    with pytest.raises(UsageError, match="holds 7 files"):
        plan_convert(clip, model, tmp_path / "shot_%04d.png")


def test_overwriting_pictures_leaves_none_of_the_old_sequence_and_all_else(
    clip: Path, model: SwapModel, tmp_path: Path
) -> None:
    converted(clip, model, tmp_path / "out", codec="png")
    (tmp_path / "out" / "000099.png").touch()  # not in the table of the sequence
    converted(clip, model, tmp_path / "out", codec="png", overwrite=True, start="2", end="4", trim=True)
    assert visible(tmp_path / "out") == {"frames.json", "000002.png", "000003.png", "000099.png"}


def test_a_deliverable_can_be_added_beside_a_finished_clip(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    converted(clip, model, tmp_path / "out.mkv")
    finished = (tmp_path / "out.mkv").read_bytes()
    converted(clip, model, tmp_path / "out.mkv", deliver="matte")
    assert visible(tmp_path) == {"in.mkv", "out.c2pa", "out.mkv", "out_matte.mov"}
    assert (tmp_path / "out.mkv").read_bytes() == finished


@pytest.mark.parametrize("change", ["replaced", "written to", "deleted"])
def test_an_input_that_changes_meanwhile_is_noticed(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    other = tmp_path / "other.mkv"
    other.write_bytes(clip.read_bytes())
    real = make.write_outputs

    def change_first(*args: Any) -> Any:
        if change == "replaced":
            other.replace(clip)
        elif change == "written to":
            os.utime(clip, ns=(1, 1))
        else:
            clip.unlink()
        return real(*args)

    monkeypatch.setattr(make, "write_outputs", change_first)
    with pytest.raises(FaceswapError):
        converted(clip, model, tmp_path / "out.mkv")
    assert "out.mkv" not in visible(tmp_path)


def test_timeline_names_the_deliverables(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio", reason="needs the extra 'interchange'")
    report = converted(clip, model, tmp_path / "out.mkv", deliver="clip,matte,otio")
    assert tmp_path / "out.otio" in report.delivered
    timeline = otio.adapters.read_from_file(str(tmp_path / "out.otio"))
    assert [track.name for track in timeline.video_tracks()] == ["matte", "source", "clip"]
    for track in timeline.video_tracks():
        (shot,) = track.find_clips()
        assert shot.source_range.duration.value == NUM_FRAMES


@pytest.mark.parametrize("taken", ["out_matte.mov", "out.otio", "out.edl"])
def test_existing_deliverables_are_not_replaced_unasked(
    clip: Path, model: SwapModel, tmp_path: Path, taken: str
) -> None:
    pytest.importorskip("opentimelineio", reason="needs the extra 'interchange'")
    (tmp_path / taken).write_text("mine")
    config = ConvertConfig.model_validate({"codec": "ffv1", "deliver": "clip,matte,otio"})
    with pytest.raises(UsageError, match=f"{taken} exists"):
        plan_convert(clip, model, tmp_path / "out.mkv", config=config)


def test_repeating_a_delivery_gives_the_same_bytes(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        converted(clip, model, tmp_path / name / "out", codec="png", deliver="clip,overlay,raw")
    for path in (tmp_path / "a").rglob("*.*"):
        if path.is_file() and ".faceswap" not in path.parts:
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert content_of(path) == content_of(other), path


def test_finished_segments_of_all_products_are_kept_when_the_end_fails(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ResourceError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("faceswap.convert.make.publish", fail)
        with pytest.raises(ResourceError):
            converted(clip, model, tmp_path / "out", codec="png", deliver="clip,matte")
    assert visible(tmp_path) == {"in.mkv"}
    report = converted(clip, model, tmp_path / "out", codec="png", deliver="clip,matte")
    assert report.frames_resumed == NUM_FRAMES
    assert verify_folder(tmp_path / "out").num_pictures == NUM_FRAMES
    assert verify_clip(tmp_path / "out_matte.mov").is_marked


def test_an_output_without_its_mark_withholds_all(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The matte is put together without its metadata.
    real = assembly.marked_metadata
    calls: list[int] = []

    def forgetful(*args: object) -> dict[str, str]:
        calls.append(1)
        return real(*args) if len(calls) == 1 else {}  # type: ignore[arg-type]

    monkeypatch.setattr(assembly, "marked_metadata", forgetful)
    with pytest.raises(ProvenanceError, match=r"out_matte\.mov was withheld"):
        converted(clip, model, tmp_path / "out.mkv", deliver="clip,matte")
    assert visible(tmp_path) == {"in.mkv"}
