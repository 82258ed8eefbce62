from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from makers import tiny_config, tiny_faceset

from faceswap.errors import FaceswapError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.train import loop, watch
from faceswap.train.log import EventLog
from faceswap.train.step import Stepper


def train(tmp_path: Path, **over: object) -> tuple[loop.TrainReport, list[str], list[dict]]:
    """Return the report, what was said, and the events."""
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    notes: list[str] = []
    values = {"steps": 30, "checkpoint_every": 10, "preview_every": 10, **over}
    report = loop.train_model(sets, tmp_path / "model", tiny_config(**values), device="cpu", on_note=notes.append)
    lines = (tmp_path / "model" / "events.jsonl").read_text().splitlines()
    return report, notes, [json.loads(line) for line in lines]


def spoil_once(monkeypatch: pytest.MonkeyPatch, at: int, spoil) -> None:  # type: ignore[no-untyped-def]
    """Let something happen to the state after a step, the first time it comes there."""
    real, done = Stepper.finished, []

    def finished(self: Stepper, loss: torch.Tensor) -> torch.Tensor:
        loss = real(self, loss)
        if self.state.step == at and not done:
            done.append(True)
            return spoil(self.state, loss)
        return loss

    monkeypatch.setattr(Stepper, "finished", finished)


def spoil_weights(state, loss: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
    next(state.network.parameters()).data.fill_(float("nan"))
    return loss


def test_spoilt_weights_roll_back_to_the_last_checkpoint_with_half_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_once(monkeypatch, 13, spoil_weights)
    report, notes, events = train(tmp_path)
    assert report.step == 30
    assert any("no number; back to the checkpoint of step 10 with 0.5 times" in note for note in notes)
    (event,) = [event for event in events if event["event"] == "roll_back"]
    assert (event["step"], event["to"], event["rate_factor"]) == (20, 10, 0.5)
    saved = find_checkpoint(tmp_path / "model")
    assert saved.document("progress")["rate_factor"] == 0.5
    assert all(torch.isfinite(value).all() for value in saved.tensors("weights").values())


def test_weights_spoilt_before_the_first_checkpoint_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_once(monkeypatch, 5, spoil_weights)
    report, notes, _ = train(tmp_path)
    assert report.step == 30
    assert any("back to the start" in note for note in notes)


def test_weights_spoilt_by_the_last_step_are_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_once(monkeypatch, 25, lambda state, loss: spoil_weights(state, loss * torch.nan))
    report, _, _ = train(tmp_path, steps=25)
    assert all(torch.isfinite(v).all() for v in find_checkpoint(tmp_path / "model").tensors("weights").values())
    assert report.step == 25


def test_faces_that_all_come_out_alike_roll_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flatten(state, loss: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        for name, value in state.ema.items():
            if name.startswith("decoders"):
                value.zero_()
        return loss

    spoil_once(monkeypatch, 30, flatten)
    monkeypatch.setattr(watch, "_VARIED", 0.0)  # so short a run never gets varied
    monkeypatch.setattr(watch, "_FLAT", 1e-4)
    report, notes, _ = train(tmp_path, steps=40)
    assert report.step == 40
    assert any("all faces come out alike" in note and "step 20" in note for note in notes)


def test_run_that_collapses_again_and_again_gives_up_and_keeps_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stepper.finished

    def collapsing(self: Stepper, loss: torch.Tensor) -> torch.Tensor:
        loss = real(self, loss)
        return loss if self.state.step <= 10 else loss * torch.nan

    monkeypatch.setattr(Stepper, "finished", collapsing)
    with pytest.raises(FaceswapError, match=r"collapsed at step 20 for the 5th time.*checkpoint of step 10 is kept"):
        train(tmp_path)
    assert find_checkpoint(tmp_path / "model").step == 10


def test_event_log_starts_a_new_line_after_a_crash(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"event": "st')
    EventLog(tmp_path / "events.jsonl").write("start", step=0)
    assert json.loads((tmp_path / "events.jsonl").read_text().splitlines()[1])["event"] == "start"
