from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from makers import tiny_faceset

from faceswap.facesets.schema import FaceRecord, Figures
from faceswap.facesets.store import FaceSet
from faceswap.train.balance import balanced_weights


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> FaceRecord:
    path: Path = tiny_faceset(tmp_path_factory.mktemp("fs"), "ada", num_faces=1)
    return FaceSet.open(path).records()[0]


def looking(record: FaceRecord, yaw: float, clip: str = "a") -> FaceRecord:
    values = {field.name: 0.0 for field in fields(Figures)} | {"yaw": yaw, "hash": "", "look": b""}
    return replace(record, clip=clip, figures=Figures(**values))  # type: ignore[arg-type]


def test_poses_are_drawn_alike_at_full_strength(record: FaceRecord) -> None:
    records = [looking(record, 0)] * 80 + [looking(record, 30)] * 20
    weights = balanced_weights(records, 1.0)
    assert weights[:80].sum() == pytest.approx(weights[80:].sum())
    assert weights.mean() == pytest.approx(1)


def test_clips_are_drawn_alike_at_full_strength(record: FaceRecord) -> None:
    records = [looking(record, 0, "a")] * 75 + [looking(record, 0, "b")] * 25
    weights = balanced_weights(records, 1.0)
    assert weights[:75].sum() == pytest.approx(weights[75:].sum())


def test_without_strength_all_are_alike(record: FaceRecord) -> None:
    assert (balanced_weights([looking(record, 0)] * 9 + [looking(record, 40)], 0.0) == 1).all()


def test_single_odd_faces_are_not_drawn_all_the_time(record: FaceRecord) -> None:
    weights = balanced_weights([looking(record, 0)] * 999 + [looking(record, 60)], 1.0)
    assert 4 < weights[-1] / np.median(weights) <= 7


def test_faces_without_figures_count_as_one_pose(record: FaceRecord) -> None:
    assert (balanced_weights([record] * 10, 1.0) == 1).all()
