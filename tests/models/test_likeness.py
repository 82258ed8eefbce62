from __future__ import annotations

from pathlib import Path

import pytest
import torch
from makers import smooth_noise, tiny_config, tiny_model, tiny_state
from torch import Tensor, nn

from faceswap.models.likeness import Likeness, calibrate, from_document, rebuild_scores, to_document
from faceswap.models.network import SwapNetwork
from faceswap.models.swap_model import SwapModel
from faceswap.types import CropSpec


class _Echo(SwapNetwork):
    """Each decoder is a function of the patches themselves."""

    def __init__(self, *functions: nn.Module) -> None:
        super().__init__(len(functions))
        self.encoder, self.bottleneck, self.decoders = nn.Identity(), nn.Identity(), nn.ModuleList(functions)

    def decode(self, code: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        face = self.decoders[identity](code)
        return face, face[:, :1]


class _Function(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)  # type: ignore[operator]


def patches(size: int, seed: int, count: int = 3) -> Tensor:
    pictures = [smooth_noise((size, size), seed + i, blur=size / 20) for i in range(count)]
    return torch.stack([torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures])


@pytest.mark.parametrize("size", [64, 96])
def test_a_face_that_is_rebuilt_scores_one_and_another_face_about_nothing(size: int) -> None:
    other = patches(size, 100)
    network = _Echo(nn.Identity(), _Function(lambda x: other))
    scores = rebuild_scores(network, patches(size, 0), CropSpec(size))
    assert scores.shape == (3, 2)
    assert torch.all(scores[:, 0] > 0.999)
    assert torch.all(scores[:, 1].abs() < 0.5)


def test_light_contrast_and_colour_do_not_count() -> None:
    tint = torch.tensor([0.9, 0.7, 0.3]).view(1, 3, 1, 1)
    gray = patches(64, 0).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    scores = rebuild_scores(_Echo(_Function(lambda x: 0.1 + 0.5 * x * tint)), gray, CropSpec(64))
    assert torch.all(scores > 0.999)


def test_what_is_outside_of_the_face_does_not_count() -> None:
    def with_other_corners(x: Tensor) -> Tensor:
        x = x.clone()
        x[..., :6, :6] = 0
        x[..., -6:, -6:] = 1
        return x

    crop = CropSpec(64, "whole_face", 0.2)
    assert torch.all(rebuild_scores(_Echo(_Function(with_other_corners)), patches(64, 0), crop) > 0.999)


def test_calibration_holds_own_faces_against_the_most_alike_others() -> None:
    scores = [
        torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]),
        torch.tensor([[0.4, 0.95]]),
        torch.tensor([[0.5, 0.6]]),
    ]
    scores = [torch.cat([rows, torch.full((len(rows), 1), 0.2)], dim=1) for rows in scores]
    found = calibrate(scores, ("a", "b", "c"))
    assert found["a"] == Likeness(0.8, 0.5)
    assert found["b"] == Likeness(0.95, 0.6)
    assert not found["c"].is_telling  # its decoder rebuilds everybody alike


def test_likeness_is_one_for_own_faces_and_nothing_for_others() -> None:
    scale = Likeness(0.9, 0.4)
    assert (scale.of(0.9), scale.of(0.4)) == pytest.approx((1, 0))
    assert scale.of(0.65) == pytest.approx(0.5)


@pytest.mark.parametrize(("best", "is_it"), [(0.97, True), (0.55, False), (0.2, False)])
def test_without_calibration_only_a_face_that_is_rebuilt_well_counts(best: float, is_it: bool) -> None:
    assert (Likeness.guessed(best).of(best) >= 0.6) is is_it


def test_document_gives_back_what_was_stored_and_nothing_of_another_measure() -> None:
    likeness = {"anna": Likeness(0.9, 0.4)}
    document = to_document(likeness)
    assert from_document(document) == likeness
    assert from_document({**document, "measure": "later-7"}) == {}


def test_models_without_the_figures_load(tmp_path: Path) -> None:
    assert SwapModel.load(tiny_model(tmp_path), device="cpu").likeness == {}


def test_figures_travel_in_the_checkpoint(tmp_path: Path) -> None:
    likeness = {"anna": Likeness(0.9, 0.4), "bert": Likeness(0.8, 0.3)}
    tiny_state().save(tmp_path, tiny_config(), likeness)
    model = SwapModel.load(tmp_path, device="cpu", precision="fp32")
    assert model.likeness == likeness
    assert model.rebuild_scores(torch.rand(2, 3, 64, 64)).shape == (2, 2)
