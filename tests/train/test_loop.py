from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from makers import tiny_config, tiny_faceset
from safetensors.torch import load_file

from faceswap.errors import InterruptedRunError, UsageError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.train import loop
from faceswap.train.loop import TrainReport, train_model

PARTS = ("weights", "ema", "optimizer", "state")


@pytest.fixture(scope="module")
def facesets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("facesets")
    return [tiny_faceset(folder / actor, actor) for actor in ("anna", "bert")]


def train(facesets: list[Path], model: Path, **over: Any) -> TrainReport:
    return train_model(facesets, model, tiny_config(**over), device="cpu")


def assert_same_checkpoint(a: Path, b: Path) -> None:
    for part in PARTS:
        first, second = (load_file(folder / f"{part}.safetensors") for folder in (a, b))
        assert first.keys() == second.keys()
        for name in first:
            assert torch.equal(first[name], second[name]), f"{part}: {name}"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resumed_run_equals_one_without_a_break_bit_for_bit(
    tmp_path: Path, facesets: list[Path], precision: str
) -> None:
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    whole = train(facesets, straight, precision=precision)
    shutil.copytree(straight / "step-000000004", resumed / "step-000000004")
    rest = train(facesets, resumed, precision=precision)
    assert (whole.new_steps, rest.new_steps) == (8, 4)
    assert_same_checkpoint(straight / "step-000000008", resumed / "step-000000008")


def test_training_leaves_a_model_that_swaps(tmp_path: Path, facesets: list[Path]) -> None:
    report = train(facesets, tmp_path, steps=2)
    model = SwapModel.load(tmp_path, device="cpu")
    assert model.identities == report.identities == ("anna", "bert")
    assert model.swap(torch.rand(1, 3, 64, 64), to="bert").pixels.shape == (1, 3, 64, 64)
    assert (tmp_path / "preview.png").stat().st_size > 0


def test_checkpoints_say_how_well_each_decoder_rebuilds_whom(tmp_path: Path, facesets: list[Path]) -> None:
    train(facesets, tmp_path, steps=2)
    model = SwapModel.load(tmp_path, device="cpu")
    assert set(model.likeness) == {"anna", "bert"}
    assert all(-1 <= value <= 1 for likeness in model.likeness.values() for value in (likeness.own, likeness.others))
    assert not any(likeness.is_telling for likeness in model.likeness.values())  # after two steps


@pytest.mark.slow
def test_trained_decoders_know_their_person(tmp_path: Path, facesets: list[Path]) -> None:
    train(facesets, tmp_path, steps=120, checkpoint_every=120, learning_rate=2e-3)
    model = SwapModel.load(tmp_path, device="cpu")
    assert set(model.likeness) == {"anna", "bert"}
    assert all(likeness.own > likeness.others + 0.1 for likeness in model.likeness.values())


def test_looking_does_not_change_the_run(tmp_path: Path, facesets: list[Path]) -> None:
    for name, preview_every in (("a", 1), ("b", 1000)):
        train(facesets, tmp_path / name, preview_every=preview_every, steps=3)
    assert_same_checkpoint(tmp_path / "a" / "step-000000003", tmp_path / "b" / "step-000000003")


def test_seed_decides_the_run(tmp_path: Path, facesets: list[Path]) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        train(facesets, tmp_path / name, seed=seed, steps=1)
    first, second = (load_file(tmp_path / name / "step-000000001" / "ema.safetensors") for name in "ab")
    assert any(not torch.equal(first[key], second[key]) for key in first)


def test_loss_falls(tmp_path: Path, facesets: list[Path]) -> None:
    calm = {"exchange": 0.0}  # recoloured faces make single losses jump
    train(facesets, tmp_path, steps=40, learning_rate=3e-3, checkpoint_every=1000, augment=calm)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert len(losses) == 4
    assert losses[-1] < 0.95 * losses[0]


def test_run_that_is_done_adds_nothing(tmp_path: Path, facesets: list[Path]) -> None:
    assert train(facesets, tmp_path, steps=2).new_steps == 2
    assert train(facesets, tmp_path, steps=2).new_steps == 0
    assert find_checkpoint(tmp_path).step == 2


def test_budget_ends_the_run(tmp_path: Path, facesets: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(1000))
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: float(next(now))))
    assert train(facesets, tmp_path, steps=None, budget="5s").step == 5


def test_run_without_an_end_is_refused(tmp_path: Path, facesets: list[Path]) -> None:
    with pytest.raises(UsageError, match="--steps"):
        train(facesets, tmp_path, steps=None)


def test_two_facesets_of_one_actor_are_refused(tmp_path: Path, facesets: list[Path]) -> None:
    with pytest.raises(UsageError, match="same actor"):
        train([facesets[0], facesets[0]], tmp_path)


def test_folder_of_another_model_is_refused(tmp_path: Path, facesets: list[Path]) -> None:
    train(facesets, tmp_path, steps=1)
    with pytest.raises(UsageError, match="another -m"):
        train(facesets[::-1], tmp_path)


def test_stop_request_saves_and_says_how_to_go_on(tmp_path: Path, facesets: list[Path]) -> None:
    def interrupt(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRunError, match=r"stopped at step 10.*repeat the command") as caught:
        train_model(facesets, tmp_path, tiny_config(steps=50), device="cpu", on_progress=interrupt)
    assert caught.value.exit_code == 130
    assert find_checkpoint(tmp_path).step == 10
