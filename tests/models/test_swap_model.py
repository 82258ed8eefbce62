from __future__ import annotations

from pathlib import Path

import pytest
import torch
from makers import tiny_model, tiny_state

from faceswap.errors import CheckpointError, ShapeError, UsageError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.types import CropSpec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"), ("anna", "bert", "carl"))


@pytest.fixture(scope="module")
def model(folder: Path) -> SwapModel:
    return SwapModel.load(folder, device="cpu", precision="fp32")


def patches(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_loaded_model_knows_its_crop_and_identities(model: SwapModel) -> None:
    assert model.identities == ("anna", "bert", "carl")
    assert model.crop == CropSpec(64, "face")


def test_loaded_model_gives_what_the_trained_one_gave(model: SwapModel) -> None:
    state = tiny_state(("anna", "bert", "carl"))
    state.network.load_state_dict(state.ema)
    with torch.inference_mode():
        face, mask = state.network.eval()(patches(), 1)
    output = model.swap(patches(), to="bert")
    torch.testing.assert_close(output.pixels, face)
    torch.testing.assert_close(output.mask, mask)


def test_output_is_float32_in_range(folder: Path) -> None:
    output = SwapModel.load(folder, device="cpu", precision="bf16").swap(patches(), to="anna")
    assert output.mask is not None
    for part in (output.pixels, output.mask):
        assert part.dtype is torch.float32
        assert 0 <= part.min() <= part.max() <= 1


def test_model_takes_its_name_from_the_manifest(model: SwapModel, folder: Path) -> None:
    assert model.manifest_sha256 == find_checkpoint(folder).manifest_sha256


def test_unknown_identity_is_refused_with_the_known_ones(model: SwapModel) -> None:
    with pytest.raises(UsageError, match="'anna', 'bert', 'carl'"):
        model.swap(patches(), to="dora")


def test_patches_of_another_size_are_refused(model: SwapModel) -> None:
    with pytest.raises(ShapeError, match="64"):
        model.swap(torch.rand(1, 3, 32, 32), to="anna")


def test_model_says_which_newer_checkpoints_it_passed_over(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path)
    (folder / "step-000000009").mkdir()
    assert "step-000000009" in SwapModel.load(folder, device="cpu").rejected[0]


def test_folder_without_checkpoint_is_a_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        SwapModel.load(tmp_path, device="cpu")
