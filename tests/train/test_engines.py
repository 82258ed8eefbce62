from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from makers import tiny_config, tiny_state

from faceswap.device import choose_compute
from faceswap.train import engines
from faceswap.train.augment import Batch
from faceswap.train.clock import Clock
from faceswap.train.engines import choose_engine, make_engine
from faceswap.train.step import Stepper

CPU = choose_compute("cpu", "fp32")


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [Batch(*(torch.rand(2, c, 64, 64, generator=generator) for c in (3, 3, 1))) for _ in range(2)]


def made() -> tuple[Stepper, Sequence[Batch]]:
    return Stepper(tiny_state(), tiny_config(), CPU), batches()


def choose(model: Path, notes: list[str], *, is_plain: bool = True, **over: object) -> str:
    config = tiny_config(**over)
    return choose_engine(model, config, CPU, is_plain=is_plain, make=made, on_note=notes.append)


def fake_times(monkeypatch: pytest.MonkeyPatch, times: dict[str, float | Exception]) -> list[str]:
    """Let engines take these times; return the list of those measured."""
    measured: list[str] = []

    def engine(name: str, stepper: Stepper) -> str:
        return name

    def seconds(name: str, *_: object) -> float:
        measured.append(name)
        value = times[name]
        if isinstance(value, Exception):
            raise value
        return value

    monkeypatch.setattr(engines, "make_engine", engine)
    monkeypatch.setattr(engines, "_median_seconds", seconds)
    return measured


def test_quickest_engine_is_measured_once_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, notes = fake_times(monkeypatch, {"eager": 0.4, "compile": 0.3}), []
    assert choose(tmp_path, notes, steps=300_000) == "compile"
    assert choose(tmp_path, notes, steps=300_000) == "compile"
    assert measured == ["eager", "compile"]
    assert notes == ["a step takes eager 400 ms, compile 300 ms: compile"] * 2


def test_engine_that_fails_is_named_and_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_times(monkeypatch, {"eager": 0.4, "compile": RuntimeError("no compiler\nmore")})
    notes: list[str] = []
    assert choose(tmp_path, notes, budget="8h") == "eager"
    assert notes == ["a step takes eager 400 ms, compile fails (no compiler): eager"]


def test_short_runs_on_cpus_measure_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = fake_times(monkeypatch, {})
    assert choose(tmp_path, []) == "eager"
    assert measured == []
    assert not (tmp_path / engines.FILE).exists()


def test_stage_that_is_not_plain_is_computed_eagerly_and_said(tmp_path: Path) -> None:
    notes: list[str] = []
    assert choose(tmp_path, notes, is_plain=False, engine="compile") == "eager"
    assert choose(tmp_path, notes, engine="graph") == "eager"
    assert len(notes) == 2


@pytest.mark.slow
@pytest.mark.timeout(1800)  # compiling takes long
def test_compiled_step_is_the_eager_one() -> None:
    losses = []
    for name in ("eager", "compile"):
        stepper, pairs = made()
        step = make_engine(name, stepper)
        losses.append([float(step(pairs, 1e-3)) for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.gpu
def test_recorded_step_is_the_eager_one() -> None:
    cuda = choose_compute("cuda", "fp32")
    from faceswap.models.spec import SwapSpec
    from faceswap.train.state import TrainState

    losses = []
    for name in ("eager", "graph"):
        config = tiny_config()
        spec = SwapSpec(network=config.network, crop=config.crop, identities=("anna", "bert"))
        state = TrainState.create(spec, config, cuda)
        step = make_engine(name, Stepper(state, config, cuda))
        pairs = [Batch(b.inputs.cuda(), b.truth.cuda(), b.mask.cuda()) for b in batches()]
        losses.append([float(step(pairs, 1e-3)) for _ in range(9)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_clock_tells_the_share_of_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 1.0, 10.0, 10.0, 11.0, 11.0, 11.0])
    clock = Clock(torch.device("cpu"))
    monkeypatch.setattr(clock, "_now", lambda: next(now))
    for what in ("draw", "step"):
        with clock.measure(what):
            pass
    assert clock.waits() == pytest.approx(0.1)
    for what in ("draw", "step"):
        with clock.measure(what):
            pass
    assert clock.waits() == pytest.approx(1.0)
