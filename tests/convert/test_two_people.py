"""Conversions of a clip with two people: who is swapped, by whom, and that it stays so after a stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import make_clip
from makers import detector
from people import SIDE, BlueJudge, ColorEncoder, blue_and_red, judge_model, make_two_person_clip, red_and_blue

from faceswap.convert import segments
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.report import ConvertReport
from faceswap.errors import InterruptedRunError, NoFaceError, UsageError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import Progress
from faceswap.provenance.verify import verify_clip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[SwapModel]:
    folder = tmp_path_factory.mktemp("models")
    return [judge_model(folder / "a"), judge_model(folder / "b", BlueJudge, ("carl", "dora"), size=96)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_two_person_clip(tmp_path / "in.mkv")


def convert(clip: Path, model: Any, output: Path, **over: Any) -> ConvertReport:
    settings = {"codec": "ffv1", "match": "none", **over.pop("settings", {})}
    return convert_clip(clip, model, output, config=ConvertConfig(**settings), detector=detector(), **over)


def changed(clip: Path, output: Path) -> list[tuple[bool, bool]]:
    """Return for each frame whether its left and its right half changed."""
    pairs = zip(VideoReader(clip), VideoReader(output), strict=True)
    differs = [old.planes[0] != new.planes[0] for old, new in pairs]
    return [(bool(d[:, :SIDE].any()), bool(d[:, SIDE:].any())) for d in differs]


def test_only_the_person_whom_the_model_knows_is_swapped(clip: Path, models: list[SwapModel], tmp_path: Path) -> None:
    report = convert(clip, models[0], tmp_path / "out.mkv", settings={"faces": "auto"})
    assert set(changed(clip, report.output)) == {(True, False)}
    assert report.identity == "anna"
    assert report.faces == 12
    assert [row["to"] for row in sorted(report.casting, key=lambda row: row["to"] or "")] == [None, "anna"]
    json.dumps(report.to_json())


def test_the_person_is_found_again_after_a_cut(models: list[SwapModel], tmp_path: Path) -> None:
    def picture(frame: int) -> np.ndarray:
        if frame < 12:
            return red_and_blue(frame)
        return 255 - (255 - blue_and_red(frame)) // 2 if frame < 24 else red_and_blue(frame)

    clip = make_clip(tmp_path / "cut.mkv", size=(SIDE, 2 * SIDE), num_frames=36, picture=picture)
    report = convert(clip, models[0], tmp_path / "out.mkv", settings={"faces": "auto"})
    assert changed(clip, report.output) == [(True, False)] * 12 + [(False, True)] * 12 + [(True, False)] * 12


@pytest.mark.usefixtures("without_watermark")
def test_two_models_swap_two_people_in_one_pass_and_both_are_named(
    clip: Path, models: list[SwapModel], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(ConvertPlan, "watermark_id", None)  # another conversion has another id
    report = convert(clip, models, tmp_path / "out.mkv", settings={"map": "bert=anna,dora=carl"})
    assert set(changed(clip, report.output)) == {(True, True)}
    assert set(report.identity.split(", ")) == {"anna", "carl"}
    names = [model.manifest_sha256 for model in models]
    mark = verify_clip(report.output).container
    assert mark is not None
    assert list(mark.models) == names
    assert report.model_sha256 == ",".join(names)
    alone = [convert(clip, model, tmp_path / f"{i}.mkv", settings={"faces": "auto"}) for i, model in enumerate(models)]
    frames = [list(VideoReader(r.output)) for r in (report, *alone)]
    for both, first, second in zip(*frames, strict=True):
        assert np.array_equal(both.planes[0][:, :SIDE], first.planes[0][:, :SIDE])
        assert np.array_equal(both.planes[0][:, SIDE:], second.planes[0][:, SIDE:])


def test_processes_are_told_who_is_who(models: list[SwapModel], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(segments, "MAX_FRAMES", 16)
    monkeypatch.setattr(segments, "_MIN_FRAMES", 8)
    clip = make_two_person_clip(tmp_path / "in.mkv", num_frames=48)
    outputs = []
    for jobs in (1, 2):
        report = convert(clip, models, tmp_path / f"{jobs}.mkv", jobs=jobs, settings={"map": "bert=anna,dora=carl"})
        outputs.append(report.output.read_bytes())
    assert outputs[0] == outputs[1]


def test_another_casting_starts_afresh_and_the_same_goes_on(
    models: list[SwapModel], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(segments, "MAX_FRAMES", 16)
    monkeypatch.setattr(segments, "_MIN_FRAMES", 8)
    clip, output = make_two_person_clip(tmp_path / "in.mkv", num_frames=48), tmp_path / "out.mkv"
    _stop_on_the_way(clip, models[0], output, monkeypatch, faces="auto")
    (red,) = (row["track"] for row in _plan_rows(clip, models[0], output))
    blue = 1 - red
    assert convert(clip, models[0], output, settings={"track": str(red)}).frames_resumed > 0  # said in another way
    _stop_on_the_way(clip, models[0], output, monkeypatch, faces="auto")
    report = convert(clip, models[0], output, settings={"track": str(blue)}, overwrite=True)
    assert report.frames_resumed == 0
    assert set(changed(clip, output)) == {(False, True)}


def _stop_on_the_way(clip: Path, model: SwapModel, output: Path, monkeypatch: Any, **settings: Any) -> None:
    import os
    import signal

    def on_progress(progress: Progress) -> None:
        if progress.stage == "render" and progress.done >= 32:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRunError):
        convert(clip, model, output, settings=settings, on_progress=on_progress, overwrite=True)


def _plan_rows(clip: Path, model: SwapModel, output: Path) -> list[dict[str, Any]]:
    from faceswap.convert.casting import casting_rows
    from faceswap.convert.pipeline import cast_clip
    from faceswap.convert.plan import plan_convert
    from faceswap.faces.cache import open_index

    plan = plan_convert(clip, model, output, config=ConvertConfig(codec="ffv1", faces="auto"), overwrite=True)
    index = open_index(plan.index_path)
    return [row for row in casting_rows(index, cast_clip(plan, [model], index)) if row["to"]]


def test_nobody_known_is_an_error_and_nothing_is_written(clip: Path, models: list[SwapModel], tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    with pytest.raises(NoFaceError, match="nobody to swap was recognised"):
        convert(clip, models[0], output, to="bert", settings={"faces": "auto"})
    assert not output.exists()


def test_pictures_of_a_person_need_an_encoder(clip: Path, models: list[SwapModel], tmp_path: Path) -> None:
    from faceswap.media.pictures import write_picture

    reference = tmp_path / "ref.png"
    write_picture(reference, red_and_blue(0)[:, :SIDE])
    settings = {"person": str(reference)}
    with pytest.raises(UsageError, match="--id-encoder"):
        convert(clip, models[0], tmp_path / "out.mkv", settings=settings)
    report = convert(clip, models[0], tmp_path / "out.mkv", settings=settings, encoder=ColorEncoder())
    assert set(changed(clip, report.output)) == {(True, False)}


def test_no_model_is_refused(clip: Path) -> None:
    with pytest.raises(UsageError, match="no model"):
        convert(clip, [], clip.with_name("out.mkv"))
