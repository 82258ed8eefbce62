from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from makers import tiny_config, tiny_faceset

from faceswap.errors import FaceswapError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.train import loop
from faceswap.train.log import EventLog


def test_collapse_stops_the_run_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = loop.train_step

    def collapsing(state, *rest):  # type: ignore[no-untyped-def]
        loss = real_step(state, *rest)
        return loss if state.step < 6 else torch.tensor(float("nan"))

    monkeypatch.setattr(loop, "train_step", collapsing)
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    with pytest.raises(FaceswapError, match=r"collapsed before step 8.*step 4 is kept"):
        loop.train_model(sets, tmp_path / "model", tiny_config(steps=12, checkpoint_every=4), device="cpu")
    assert find_checkpoint(tmp_path / "model").step == 4


def test_event_log_starts_a_new_line_after_a_crash(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"event": "st')
    EventLog(tmp_path / "events.jsonl").write("start", step=0)
    assert json.loads((tmp_path / "events.jsonl").read_text().splitlines()[1])["event"] == "start"
