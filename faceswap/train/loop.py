"""The training loop: readable from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from faceswap.device import choose_compute
from faceswap.errors import ElsewhereError, InterruptedRunError, UsageError
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.models.spec import SwapSpec
from faceswap.models.work import work_of
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.train.board import FOLDER, Board, require_tensorboard
from faceswap.train.clock import Clock
from faceswap.train.config import TrainConfig
from faceswap.train.consents import consents_of
from faceswap.train.distributed import Team, joined, own_device
from faceswap.train.final import write_final_report
from faceswap.train.held_out import HeldOutScore, as_event, look
from faceswap.train.log import EventLog
from faceswap.train.preview import PreviewWish, preview_on_signal, write_preview
from faceswap.train.run import Run
from faceswap.train.schedule import advanced, expected_steps, learning_rate, require_end, stages_of
from faceswap.train.start import begin, enter_stage
from faceswap.train.watch import LossWatch

_REPORT_EVERY = 10
"""Steps between progress reports; the loss is read back from the device only then."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a run ended."""

    model: Path
    step: int
    """In all."""
    new_steps: int
    """Of this run."""
    seconds: float
    """Of this run."""
    steps_per_second: float
    loss: float
    identities: tuple[str, ...]
    checkpoint: Path
    held_out: Mapping[str, HeldOutScore]
    """By identity: how well faces that training never saw are rebuilt; identities with too few faces are missing."""
    advice: tuple[str, ...] = ()
    """What the curve and the facesets say, one sentence each; also in report.html."""


def _ignore_note(_: str) -> None:
    """The default listener."""


def train_model(
    facesets: Sequence[Path | str],
    model: Path | str,
    config: TrainConfig,
    *,
    device: str = "auto",
    on_progress: OnProgress = ignore_progress,
    on_note: Callable[[str], None] = _ignore_note,
) -> TrainReport:
    """Train a swap model; the same call again goes on from the last checkpoint.

    In several processes that `torchrun` has started, each call trains the same model with its share of the batches; the
    first process alone writes, and calls `on_progress` and `on_note`.

    Args:
        facesets: one for each identity; the first is the source (the person whose face will appear).
        model: folder for checkpoints, preview.png, report.html and events.jsonl.
        on_note: receives sentences a person should read (device, size, what is resumed, what was done about trouble).

    Raises:
        UsageError: no end is set, or the folder holds another model. CropMismatchError, NoFaceError: unfit facesets.
        ResourceError: disk or memory full (older checkpoints are intact).
        InterruptedRunError: stopped by a signal, after saving.
        FaceswapError: training collapses again and again, or another process is gone. ElsewhereError: of several
            processes, the first failed or was stopped.
    """
    model = Path(model)
    require_end(config)
    compute = choose_compute(own_device(device), config.precision)
    with joined(compute) as team, ExitStack() as stack:
        if not team.is_first:
            on_note, on_progress = _ignore_note, ignore_progress
        sets = team.in_turn(lambda: [FaceSet.open(path) for path in facesets])
        spec = SwapSpec(network=config.network, crop=config.crop, identities=team.in_turn(lambda: _identities(sets)))
        team.first_does(lambda: stack.enter_context(folder_lock(model, "train")))
        state, saved, config = begin(model, spec, config, compute, on_note, team)
        log = stack.enter_context(closing(_event_log(model, config, team, state.step)))
        run = Run(model, config, compute, team, sets, spec, state, saved, log, on_progress, on_note)
        if team.is_first:
            state.consents = consents_of(sets, on_note)
        run.load_packs()
        on_note(_opening(run))
        with stop_on_signal() as stop, preview_on_signal() as wish, disk_errors_named(model):
            return _train(run, stop, wish)


def _event_log(model: Path, config: TrainConfig, team: Team, step: int) -> EventLog:
    if config.tensorboard:
        team.first_does(require_tensorboard)
    if not team.is_first:
        return EventLog(None)
    return EventLog(model / "events.jsonl", Board(model / FOLDER, step) if config.tensorboard else None)


def _opening(run: Run) -> str:
    """Return what a person should read first."""
    network, count = run.spec.network, len(run.spec.identities)
    shared = f", batch {run.config.batch} shared by {run.team.size} processes" if run.team.size > 1 else ""
    return (
        f"{network.name} {network.size} px, {work_of(network, count)}, on {run.compute}{shared}: "
        + ", ".join(f"{pack.actor}: {len(pack)} faces" for pack in run.packs)
        + "".join(f", {len(pack)} of {pack.actor} held out" for pack in run.held if pack is not None)
    )


def _identities(sets: Sequence[FaceSet]) -> tuple[str, ...]:
    actors = tuple(faceset.actor for faceset in sets)
    if len(set(actors)) != len(actors):
        raise UsageError(f"two facesets are of the same actor ({', '.join(actors)}); each identity needs its own name")
    return actors


def _train(run: Run, stop: StopRequest, wish: PreviewWish) -> TrainReport:
    config = run.config
    run.log.write("start", step=run.state.step, compute=str(run.compute), config=config.model_dump(mode="json"))
    first_step, first_seconds = run.state.step, run.state.seconds
    start = time.perf_counter()
    step, sampler = run.prepare()
    watch, clock = LossWatch(), Clock(run.compute.device)
    loss = torch.tensor(run.state.loss)
    while not (signal_number := _agreed(run, stop)):
        state, share = run.state, run.share()
        place = advanced(config, state.place, state.step, share, has_plateau=run.has_plateau)
        if place is None:
            state.loss = run.read(loss)
            if math.isfinite(state.loss):
                break
            loss = run.roll_back("the loss is no number")
            step, sampler = run.prepare()
            continue
        if place != state.place:
            state.place = place
            enter_stage(state, run.stage, config, run.compute, run.on_note)
            run.load_packs()
            step, sampler = run.prepare()
            watch = LossWatch()
        with clock.measure("draw"):
            batches = run.draw(sampler)
        rate = state.rate_factor * learning_rate(config, place, state.step, share)
        with clock.measure("step"):
            loss = step(batches, rate)
        state.seconds = first_seconds + time.perf_counter() - start
        is_due = {name: state.step % every == 0 for name, every in _periods(config).items()}
        if any(is_due.values()):
            state.loss = run.read(loss)
            trouble = watch.collapse(state.loss)
            if not trouble and is_due["look"]:
                trouble = run.look()
            if trouble:
                loss = run.roll_back(trouble)
                step, sampler = run.prepare()
                watch = LossWatch()
                continue
        if is_due["report"] and run.team.is_first:
            _report(run, first_step, first_seconds, clock.waits(), rate)
        if (wish or is_due["look"]) and run.team.is_first:
            _preview(run)
            wish.clear()
        if is_due["save"]:
            run.save()
    return _finish(run, loss, signal_number, first_step, first_seconds)


def _agreed(run: Run, stop: StopRequest) -> int:
    """Return the signal that has asked any process to stop, 0 = none; all get the same, and the same time."""
    number, run.state.seconds = run.team.most(stop.signal_number, run.state.seconds)
    return int(number)


def _periods(config: TrainConfig) -> dict[str, int]:
    return {"report": _REPORT_EVERY, "look": config.preview_every, "save": config.checkpoint_every}


def _report(run: Run, first_step: int, first_seconds: float, waits: float, learning_rate: float) -> None:
    state = run.state
    rate = (state.step - first_step) / max(state.seconds - first_seconds, 1e-9)
    total = expected_steps(run.config, state.step, state.seconds, rate)
    details: dict[str, Any] = {"loss": round(state.loss, 4), "waits for data": f"{waits:.1%}"}
    if len(stages_of(run.config)) > 1:
        details["stage"] = run.stage.name or str(state.place.stage + 1)
    if run.compute.device.type == "cuda":
        details["GB"] = round(torch.cuda.max_memory_allocated(run.compute.device) / 1e9, 1)
    run.on_progress(Progress("train", state.step, total, unit="steps", details=details))
    values = {"loss": round(state.loss, 5), "steps_per_second": round(rate, 3), "waits_for_data": round(waits, 4)}
    run.log.write("step", step=state.step, stage=state.place.stage, learning_rate=learning_rate, **values)


def _preview(run: Run) -> None:
    path = run.model / "preview.png"
    write_preview(path, run.state, run.packs, run.compute)
    data = path.read_bytes()
    run.log.picture(run.state.step, data)
    if run.config.timelapse:
        folder = run.model / "timelapse"
        folder.mkdir(exist_ok=True)
        (folder / f"{run.state.step:09d}.png").write_bytes(data)


def _finish(run: Run, loss: torch.Tensor, signal_number: int, first_step: int, first_seconds: float) -> TrainReport:
    """Save, and say how it went."""
    saved = run.saved
    if saved is None or saved.step != run.state.step:
        run.state.loss = run.read(loss)
        if not math.isfinite(run.state.loss):  # stopped in the middle of a collapse
            run.roll_back("the loss is no number")
        saved = run.saved if run.saved and run.saved.step == run.state.step else run.save()
    state = run.state
    run.log.write("stop", step=state.step, seconds=round(state.seconds, 3), signal=signal_number)
    if signal_number:
        if not run.team.is_first:
            raise ElsewhereError("stopped; the first process of the run says how to go on", 128 + signal_number)
        raise InterruptedRunError(
            f"stopped at step {state.step}, saved as {saved.path}; repeat the command to go on", signal_number
        )
    held, advice = run.team.first_does(lambda: _last_look(run))
    seconds, steps = state.seconds - first_seconds, state.step - first_step
    return TrainReport(
        run.model,
        state.step,
        steps,
        seconds,
        steps / max(seconds, 1e-9),
        state.loss,
        state.spec.identities,
        saved.path,
        held,
        tuple(advice),
    )


def _last_look(run: Run) -> tuple[Mapping[str, HeldOutScore], list[str]]:
    """Write the last preview and the report; return the scores of held-out faces, and advice."""
    _preview(run)
    looked = look(run.state, run.packs, run.held, run.compute)
    run.log.write(
        "score", step=run.state.step, held_out=as_event(looked.held), seen=looked.seen, variety=looked.variety
    )
    advice = write_final_report(run.model / "report.html", run.state, run.packs, run.held, looked, run.compute)
    return looked.held, advice
