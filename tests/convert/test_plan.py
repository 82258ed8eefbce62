from __future__ import annotations

from pathlib import Path

import pytest
from clips import make_clip
from makers import tiny_model

from faceswap.convert.config import ConvertConfig
from faceswap.convert.plan import plan_convert
from faceswap.errors import UsageError
from faceswap.models.swap_model import SwapModel

LOSSLESS = ConvertConfig(codec="ffv1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mkv", num_frames=3)


def visible_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_plan_without_wishes_swaps_to_the_first_identity_beside_the_input(clip: Path, model: SwapModel) -> None:
    plan = plan_convert(clip, model)
    assert (plan.wish.words, plan.output) == ("anna", clip.with_name("in_swapped.mkv"))
    assert not plan.has_index


@pytest.mark.parametrize("output", ["nowhere/out.mkv", "folder", "out.xyz"])
def test_impossible_output_is_refused_before_any_work(
    clip: Path, model: SwapModel, tmp_path: Path, output: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        plan_convert(clip, model, tmp_path / output, config=LOSSLESS)
    assert visible_files(tmp_path) == ["folder", "in.mkv"]


def test_unknown_identity_is_refused(clip: Path, model: SwapModel) -> None:
    with pytest.raises(UsageError, match="'anna', 'bert'"):
        plan_convert(clip, model, to="dora")


def test_plan_says_what_will_be_lost_and_does_nothing(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    plan = plan_convert(clip, model, tmp_path / "out.mov", config=ConvertConfig(codec="prores_ks"))
    assert any("stored as yuv422p10le" in note for note in plan.notes)
    assert visible_files(tmp_path) == ["in.mkv"]
