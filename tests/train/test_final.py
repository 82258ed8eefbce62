from __future__ import annotations

import json
import os
import signal
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from makers import tiny_config, tiny_faceset

from faceswap.facesets.schema import Figures
from faceswap.facesets.store import FaceSet
from faceswap.train.final import _Face, _poses
from faceswap.train.loop import train_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("final")
    sets = [tiny_faceset(folder / name, name, num_faces=100) for name in ("anna", "bert")]
    for path in sets:  # half of the faces look left, and are dark
        faceset = FaceSet.open(path)
        figures = {field.name: 0.0 for field in fields(Figures)} | {"hash": "0" * 16, "look": bytes(384)}
        half = {True: figures | {"yaw": -30.0, "brightness": 40.0}, False: figures | {"brightness": 120.0}}
        faceset.set_figures({r.file: Figures(**half[i % 2 == 0]) for i, r in enumerate(faceset.records())})  # type: ignore[arg-type]
    config = tiny_config(steps=8, preview_every=2, timelapse=True)
    pokes = iter([True])

    def poke(_: object) -> None:
        if next(pokes, False):
            os.kill(os.getpid(), signal.SIGUSR1)

    train_model(sets, folder / "model", config, device="cpu", on_progress=poke)
    return folder / "model"


def test_report_stands_alone_with_curves_and_the_worst_faces(model: Path) -> None:
    page = (model / "report.html").read_text()
    assert page.count("<svg") == 5
    assert page.count("data:image/jpeg;base64,") == 2 * 5  # held out of 100 faces: 5 of each
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "8 steps" in page


def test_report_is_there_for_programs_too(model: Path) -> None:
    values = json.loads((model / "report.json").read_text())
    assert [row["step"] for row in values["history"]] == [2, 4, 6, 8]
    assert set(values["held_out"]) == {"anna", "bert"}
    for rows in values["worst"].values():
        ssims = [row["ssim"] for row in rows]
        assert ssims == sorted(ssims)
    assert values["advice"]


def test_previews_are_kept_on_demand(model: Path) -> None:
    assert [path.name for path in sorted((model / "timelapse").iterdir())] == [f"{n:09d}.png" for n in (2, 4, 6, 8)]


def test_poses_that_come_out_worse_are_named(model: Path) -> None:
    record = FaceSet.open(model.parent / "anna").records()[0]
    assert record.figures is not None
    figures = record.figures

    def face(yaw: float, ssim: float) -> _Face:
        none = np.zeros(0)
        return _Face(replace(record, figures=replace(figures, yaw=yaw, brightness=100.0)), ssim, none, none)  # type: ignore[arg-type]

    (line,) = _poses({"anna": [face(-40, 0.6)] * 5 + [face(0, 0.8)] * 9})
    assert "anna that look to the left" in line
    assert "0.60 against 0.80" in line
    assert _poses({"anna": [face(-40, 0.79)] * 5 + [face(0, 0.8)] * 9}) == []


def test_signal_writes_a_preview_now(tmp_path: Path) -> None:
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    model, times = tmp_path / "model", []

    def poke(_: object) -> None:
        times.append((model / "preview.png").exists())
        os.kill(os.getpid(), signal.SIGUSR1)

    train_model(
        sets, model, tiny_config(steps=30, preview_every=1000, checkpoint_every=1000), device="cpu", on_progress=poke
    )
    assert times == [False, True, True]
