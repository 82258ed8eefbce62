from __future__ import annotations

from pathlib import Path

import pytest
import torch
from makers import tiny_config, tiny_faceset, tiny_state

from faceswap.device import choose_compute
from faceswap.errors import ResourceError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.train.augment import Batch
from faceswap.train.loop import train_model
from faceswap.train.memory import Relief, automatic_batch, is_out_of_memory
from faceswap.train.step import AllIdentities, Stepper

CPU = choose_compute("cpu", "fp32")


def batches(count: int = 4) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        Batch(*(torch.rand(count, channels, 64, 64, generator=generator) for channels in (3, 3, 1))) for _ in range(2)
    ]


def gradients(**relief: object) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    state = tiny_state()
    state.relief = Relief(**relief)  # type: ignore[arg-type]
    loss = Stepper(state, tiny_config(), CPU).gradients(batches(), 1e-4)
    return loss, {name: p.grad for name, p in state.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("relief", [{"parts": 2}, {"parts": 4}, {"saves_memory": True}])
def test_relief_does_not_change_the_step(relief: dict) -> None:
    loss, whole = gradients()
    less, parts = gradients(**relief)
    # Parts have a mean of their own each: nearly the same where masks are of a size.
    assert float(less) == pytest.approx(float(loss), rel=0.01)
    assert whole.keys() == parts.keys()
    total, other = (torch.cat([g.flatten() for g in part.values()]) for part in (whole, parts))
    assert torch.nn.functional.cosine_similarity(total, other, dim=0) > 0.99


def test_full_memory_is_met_by_computing_twice_then_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = AllIdentities.forward

    def small(self: AllIdentities, inputs: torch.Tensor, num: int, saves_memory: bool):  # type: ignore[no-untyped-def]
        if len(inputs) > 2 or not saves_memory:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, inputs, num, saves_memory)

    monkeypatch.setattr(AllIdentities, "forward", small)
    notes: list[str] = []
    state = tiny_state()
    before = {name: value.clone() for name, value in state.network.state_dict().items()}
    Stepper(state, tiny_config(), CPU, on_note=notes.append)(batches(), 1e-3)
    assert state.step == 1
    assert state.relief == Relief(4, True)
    assert [note.split(": ")[1][:20] for note in notes] == [
        "inner values are com",
        "the batch of 4 is co",
        "the batch of 4 is co",
    ]
    assert any(not torch.equal(value, before[name]) for name, value in state.network.state_dict().items())


def test_nothing_left_to_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(AllIdentities, "forward", full)
    with pytest.raises(ResourceError, match="smaller network"):
        Stepper(tiny_state(), tiny_config(), CPU)(batches(), 1e-3)


def test_other_errors_are_not_taken_for_full_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(AllIdentities, "forward", wrong)
    with pytest.raises(RuntimeError, match="shapes"):
        Stepper(tiny_state(), tiny_config(), CPU)(batches(), 1e-3)
    assert not is_out_of_memory(RuntimeError("shapes"))


def test_what_was_done_is_kept_for_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = AllIdentities.forward, []

    def once(self: AllIdentities, inputs: torch.Tensor, num: int, saves_memory: bool):  # type: ignore[no-untyped-def]
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("full")
        return real(self, inputs, num, saves_memory)

    monkeypatch.setattr(AllIdentities, "forward", once)
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    notes: list[str] = []
    train_model(sets, tmp_path / "model", tiny_config(steps=2), device="cpu", on_note=notes.append)
    assert any("out of memory at step 0" in note for note in notes)
    assert find_checkpoint(tmp_path / "model").document("progress")["relief"] == {"parts": 1, "saves_memory": True}


def test_batch_grows_with_memory_and_never_passes_its_limit() -> None:
    network = tiny_state().network
    small, sentence = automatic_batch(network, 64, CPU, available=60_000_000)
    large, _ = automatic_batch(network, 64, CPU, available=8_000_000_000)
    assert 1 <= small < large == 16
    assert "MB for each face" in sentence
    assert automatic_batch(network, 64, CPU, available=0)[0] == 1


def test_automatic_batch_is_kept_when_going_on(tmp_path: Path) -> None:
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    for steps in (1, 2):
        train_model(sets, tmp_path / "model", tiny_config(steps=steps, batch="auto"), device="cpu")
    assert find_checkpoint(tmp_path / "model").document("train")["batch"] == 16
