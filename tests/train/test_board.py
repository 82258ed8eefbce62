from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from makers import tiny_config, tiny_faceset

from faceswap.errors import UsageError
from faceswap.train import board
from faceswap.train.board import Board
from faceswap.train.loop import train_model

needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="needs the extra `track` (TensorBoard)"
)


def shown(folder: Path):  # type: ignore[no-untyped-def]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


@needs_tensorboard
def test_curves_scores_and_previews_are_shown(tmp_path: Path) -> None:
    sets = [tiny_faceset(tmp_path / name, name, num_faces=n) for name, n in (("anna", 100), ("bert", 10))]
    config = tiny_config(steps=20, preview_every=10, checkpoint_every=20, tensorboard=True)
    train_model(sets, tmp_path / "model", config, device="cpu")
    events = shown(tmp_path / "model" / "tensorboard")
    tags = events.Tags()
    assert {"training/loss", "training/learning_rate", "score/held_out/anna/ssim", "score/seen"} <= set(tags["scalars"])
    assert [row.step for row in events.Scalars("training/loss")] == [10, 20]
    assert tags["images"] == ["preview"]
    png = (tmp_path / "model" / "preview.png").read_bytes()
    assert events.Images("preview")[-1].encoded_image_string == png  # with its mark


@needs_tensorboard
def test_steps_that_are_done_again_are_shown_once(tmp_path: Path) -> None:
    first = Board(tmp_path, 0)
    for step in (1, 2, 3):
        first.take("step", {"step": step, "loss": float(step)})
    first.close()
    second = Board(tmp_path, 2)
    second.take("step", {"step": 3, "loss": 30.0})
    second.take("roll_back", {"step": 3, "to": 1})
    second.take("step", {"step": 2, "loss": 20.0})
    second.close()
    assert [(row.step, row.value) for row in shown(tmp_path).Scalars("training/loss")] == [(1, 1.0), (2, 20.0)]


def test_missing_tensorboard_is_said_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "find_spec", lambda _: None)
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    with pytest.raises(UsageError, match=r"faceswap\[track\]"):
        train_model(sets, tmp_path / "model", tiny_config(tensorboard=True), device="cpu")
    assert not (tmp_path / "model" / "events.jsonl").exists()
