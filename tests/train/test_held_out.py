from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from makers import EXTRACT_CROP, tiny_faceset, tiny_values

from faceswap.config import validated
from faceswap.evaluate.protocols import is_held_out
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.train.config import TrainConfig
from faceswap.train.data import load_pack
from faceswap.train.held_out import divided, held_out
from faceswap.train.loop import train_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> FaceRecord:
    return FaceSet.open(tiny_faceset(tmp_path_factory.mktemp("fs"), "ada", num_faces=1)).records()[0]


def records_of(record: FaceRecord, shots: int, per_shot: int, clip: str = "a" * 64) -> list[FaceRecord]:
    return [
        replace(record, clip=clip, shot=shot, frame=shot * per_shot + i)
        for shot in range(shots)
        for i in range(per_shot)
    ]


def test_whole_shots_are_held_out_by_the_protocols_rule(record: FaceRecord) -> None:
    records = records_of(record, 40, 10)
    chosen = held_out(records)
    by_shot = chosen.reshape(40, 10)
    assert (by_shot.all(axis=1) | ~by_shot.any(axis=1)).all()
    assert by_shot[:, 0].tolist() == [is_held_out("a" * 64, shot * 10) for shot in range(40)]
    assert 0 < by_shot[:, 0].sum() < 20


def test_one_long_shot_gives_its_end(record: FaceRecord) -> None:
    chosen = held_out(records_of(record, 1, 200))
    assert np.flatnonzero(chosen).tolist() == list(range(190, 200))


def test_each_clip_of_a_small_archive_gives_its_end(record: FaceRecord) -> None:
    records = [*records_of(record, 1, 60, "a" * 64), *records_of(record, 1, 60, "b" * 64)]
    assert np.flatnonzero(held_out(records)).tolist() == [57, 58, 59, 117, 118, 119]


def test_small_facesets_are_kept_whole(record: FaceRecord) -> None:
    assert not held_out(records_of(record, 9, 9)).any()


def test_held_out_faces_are_scored_and_not_trained_with(tmp_path: Path) -> None:
    sets = [tiny_faceset(tmp_path / actor, actor, num_faces=100) for actor in ("ada", "bea")]
    notes: list[str] = []
    report = train_model(
        sets, tmp_path / "model", validated(TrainConfig, tiny_values(), "tiny"), device="cpu", on_note=notes.append
    )
    assert any("95 faces" in note and "5 of ada held out" in note for note in notes)
    assert set(report.held_out) == {"ada", "bea"}
    for score in report.held_out.values():
        assert score.faces == 5
        assert 0 <= score.ssim <= 1
        assert score.sharpness >= 0
    assert '"event": "score"' in (tmp_path / "model" / "events.jsonl").read_text()


def test_division_keeps_every_face_once(tmp_path: Path) -> None:
    pack = load_pack(FaceSet.open(tiny_faceset(tmp_path, "ada")), EXTRACT_CROP, CPU)
    is_held = np.arange(10) % 3 == 0
    rest, held = divided(pack, is_held)
    assert held is not None
    everything = torch.arange(10)
    assert sorted([*rest.rows.tolist(), *held.rows.tolist()]) == everything.tolist()
    assert torch.equal(held.take(torch.arange(len(held)), CPU), pack.pixels[torch.from_numpy(is_held)])
    whole, none = divided(pack, np.zeros(10, dtype=bool))
    assert none is None
    assert torch.equal(whole.take(everything, CPU), pack.pixels)
