"""The training loop: readable from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from faceswap.device import Compute, choose_compute
from faceswap.errors import FaceswapError, InterruptedRunError, UsageError
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.models.checkpoint import Checkpoint, remove_leftovers
from faceswap.models.spec import SwapSpec
from faceswap.models.work import work_of
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.train.augment import Batch, Sampler, exchange_colors
from faceswap.train.clock import Clock
from faceswap.train.config import StageSettings, TrainConfig
from faceswap.train.consents import consents_of
from faceswap.train.data import FacePack, load_pack
from faceswap.train.engines import StepOf, choose_engine, make_engine
from faceswap.train.final import write_final_report
from faceswap.train.held_out import HeldOutScore, Looked, as_event, divided, held_out, look
from faceswap.train.identity_loss import load_identity_loss
from faceswap.train.likeness import measure_likeness
from faceswap.train.log import EventLog
from faceswap.train.preview import PreviewWish, preview_on_signal, write_preview
from faceswap.train.schedule import advanced, learning_rate, require_end, run_share, stages_of
from faceswap.train.start import begin, enter_stage, fresh_state
from faceswap.train.state import TrainState
from faceswap.train.step import Stepper
from faceswap.train.watch import LossWatch, Scored, collapse, has_plateau, is_learnt_by_heart

_REPORT_EVERY = 10
"""Steps between progress reports; the loss is read back from the device only then."""
_MOST_ROLL_BACKS = 4
"""In one call; more are no accident."""


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


@dataclass(slots=True, eq=False)
class _Run:
    """What a call of `train_model` works with."""

    model: Path
    config: TrainConfig
    compute: Compute
    sets: Sequence[FaceSet]
    spec: SwapSpec
    state: TrainState
    saved: Checkpoint | None
    log: EventLog
    on_progress: OnProgress
    on_note: Callable[[str], None]
    packs: list[FacePack] = field(default_factory=list)
    held: list[FacePack | None] = field(default_factory=list)
    roll_backs: int = 0
    is_learnt_by_heart: bool = False
    """Said once."""

    @property
    def stage(self) -> StageSettings:
        return stages_of(self.config)[self.state.place.stage]

    def share(self) -> float:
        return run_share(self.config, self.state.step, self.state.seconds)

    def load_packs(self) -> None:
        """Load the facesets at the size of the stage."""
        crop, regions = self.state.spec.crop_spec, self.config.regions
        parts = []
        for faceset in self.sets:
            pack = load_pack(faceset, crop, self.compute.device, regions)
            parts.append(divided(pack, held_out(pack.records), self.config.augment.balance))
        self.packs, self.held = [part[0] for part in parts], [part[1] for part in parts]


def train_model(
    facesets: Sequence[Path | str],
    model: Path | str,
    config: TrainConfig,
    *,
    device: str = "auto",
    on_progress: OnProgress = ignore_progress,
    on_note: Callable[[str], None] = lambda _: None,
) -> TrainReport:
    """Train a swap model; the same call again goes on from the last checkpoint.

    Args:
        facesets: one for each identity; the first is the source (the person whose face will appear).
        model: folder for checkpoints, preview.png, report.html and events.jsonl.
        on_note: receives sentences a person should read (device, size, what is resumed, what was done about trouble).

    Raises:
        UsageError: no end is set, or the folder holds another model. CropMismatchError, NoFaceError: unfit facesets.
        ResourceError: disk or memory full (older checkpoints are intact).
        InterruptedRunError: stopped by a signal, after saving.
        FaceswapError: training collapses again and again.
    """
    model = Path(model)
    require_end(config)
    sets = [FaceSet.open(path) for path in facesets]
    spec = SwapSpec(network=config.network, crop=config.crop, identities=_identities(sets))
    compute = choose_compute(device, config.precision)
    with folder_lock(model, "train"):
        remove_leftovers(model)
        state, saved, config = begin(model, spec, config, compute, on_note)
        state.consents = consents_of(sets, on_note)
        log = EventLog(model / "events.jsonl")
        run = _Run(model, config, compute, sets, spec, state, saved, log, on_progress, on_note)
        run.load_packs()
        on_note(
            f"{spec.network.name} {spec.network.size} px, {work_of(spec.network, len(spec.identities))}, on {compute}: "
            + ", ".join(f"{pack.actor}: {len(pack)} faces" for pack in run.packs)
            + "".join(f", {len(pack)} of {pack.actor} held out" for pack in run.held if pack is not None)
        )
        with stop_on_signal() as stop, preview_on_signal() as wish, disk_errors_named(model):
            return _train(run, stop, wish)


def _identities(sets: Sequence[FaceSet]) -> tuple[str, ...]:
    actors = tuple(faceset.actor for faceset in sets)
    if len(set(actors)) != len(actors):
        raise UsageError(f"two facesets are of the same actor ({', '.join(actors)}); each identity needs its own name")
    return actors


def _train(run: _Run, stop: StopRequest, wish: PreviewWish) -> TrainReport:
    config = run.config
    run.log.write("start", step=run.state.step, compute=str(run.compute), config=config.model_dump(mode="json"))
    first_step, first_seconds = run.state.step, run.state.seconds
    start = time.perf_counter()
    step, sampler = _prepare(run)
    watch, clock = LossWatch(), Clock(run.compute.device)
    loss = torch.tensor(run.state.loss)
    while not stop:
        state, share = run.state, run.share()
        place = advanced(config, state.place, state.step, share, has_plateau=_has_plateau(run))
        if place is None:
            state.loss = float(loss)
            if math.isfinite(state.loss):
                break
            loss = _roll_back(run, "the loss is no number")
            step, sampler = _prepare(run)
            continue
        if place != state.place:
            state.place = place
            enter_stage(state, run.stage, config, run.compute, run.on_note)
            run.load_packs()
            step, sampler = _prepare(run)
            watch = LossWatch()
        with clock.measure("draw"):
            batches = _draw(run, sampler)
        with clock.measure("step"):
            loss = step(batches, state.rate_factor * learning_rate(config, place, state.step, share))
        state.seconds = first_seconds + time.perf_counter() - start
        is_due = {name: state.step % every == 0 for name, every in _periods(config).items()}
        if is_due["report"] or is_due["save"] or is_due["look"]:
            state.loss = float(loss)
            trouble = watch.collapse(state.loss)
            if not trouble and is_due["look"]:
                trouble = _look(run)
            if trouble:
                loss = _roll_back(run, trouble)
                step, sampler = _prepare(run)
                watch = LossWatch()
                continue
        if is_due["report"]:
            _report(run, first_step, first_seconds, clock.waits())
        if wish or is_due["look"]:
            _preview(run)
            wish.clear()
        if is_due["save"]:
            _save(run)
    return _finish(run, loss, stop, first_step, first_seconds)


def _periods(config: TrainConfig) -> dict[str, int]:
    return {"report": _REPORT_EVERY, "look": config.preview_every, "save": config.checkpoint_every}


def _prepare(run: _Run) -> tuple[StepOf, Sampler]:
    """Return the step and the sampler of the stage that is on."""
    config, compute, state = run.config, run.compute, run.state

    def stepper_of(of: TrainState) -> Stepper:
        identity = None
        if config.loss.identity:
            identity = load_identity_loss(Path(config.loss.encoder), of.spec.crop_spec, compute.device)
        return Stepper(of, config, compute, run.stage, identity_loss=identity, on_note=run.on_note)

    def throw_away() -> tuple[Stepper, Sequence[Batch]]:
        other = TrainState.create(state.spec, config, compute)
        sampler = Sampler(config.augment, state.spec.network.size, other.generator, compute.device)
        return stepper_of(other), [sampler.draw(pack, config.batch, warp=True) for pack in run.packs]

    is_plain = not run.stage.gan and state.relief.parts == 1 and not state.relief.saves_memory
    is_plain = is_plain and not state.scaler.is_enabled()
    engine = choose_engine(run.model, config, compute, is_plain=is_plain, make=throw_away, on_note=run.on_note)
    sampler = Sampler(config.augment, state.spec.network.size, state.generator, compute.device)
    return make_engine(engine, stepper_of(state)), sampler


def _draw(run: _Run, sampler: Sampler) -> Sequence[Batch]:
    batches = [sampler.draw(pack, run.config.batch, warp=run.stage.warp) for pack in run.packs]
    return exchange_colors(batches, run.config.augment.exchange, run.state.generator)


def _has_plateau(run: _Run) -> bool:
    return has_plateau([row for row in run.state.history if row.step > run.state.place.step])


def _look(run: _Run) -> str | None:
    """Score the network; return what has collapsed, in words."""
    state = run.state
    looked = look(state, run.packs, run.held, run.compute)
    row = Scored(
        state.step,
        round(state.seconds, 1),
        round(state.loss, 5),
        looked.held_ssim,
        looked.seen,
        looked.sharpness,
        looked.variety,
    )
    trouble = collapse([r for r in (*state.history, row) if r.step > state.place.step])
    run.log.write("score", step=state.step, held_out=as_event(looked.held), seen=looked.seen, variety=looked.variety)
    if trouble is None and (not state.history or state.history[-1].step < state.step):
        state.history = (*state.history, row)
        if is_learnt_by_heart(state.history) and not run.is_learnt_by_heart:
            run.is_learnt_by_heart = True
            run.on_note(
                f"step {state.step}: held-out faces get worse while those of the training get better: learnt by heart"
            )
    return trouble


def _roll_back(run: _Run, trouble: str) -> torch.Tensor:
    """Go back to the last checkpoint with half the learning rate, and other draws than those that led here.

    Returns:
        The loss there.
    """
    run.roll_backs += 1
    step, factor = run.state.step, run.state.rate_factor / 2
    place = f"the checkpoint of step {run.saved.step}" if run.saved else "the start"
    run.log.write("roll_back", step=step, because=trouble, to=run.saved.step if run.saved else 0, rate_factor=factor)
    if run.roll_backs > _MOST_ROLL_BACKS:
        raise FaceswapError(
            f"training collapsed at step {step} for the {run.roll_backs}th time ({trouble}); {place} is kept; look at the "
            "facesets, or start with a much lower rate, e.g. --set learning_rate=1e-5"
        )
    seconds, consents = run.state.seconds, run.state.consents
    if run.saved:
        run.state = TrainState.restore(run.saved, run.spec, run.config, run.compute)
    else:
        run.state = fresh_state(run.spec, run.config, run.compute, run.on_note)
    run.state.seconds, run.state.rate_factor, run.state.consents = seconds, factor, consents
    run.state.generator.manual_seed(run.config.seed + 7919 * run.roll_backs + step)
    run.on_note(f"step {step}: training collapsed, {trouble}; back to {place} with {factor:g} times the learning rate")
    run.load_packs()
    return torch.tensor(run.state.loss)


def _report(run: _Run, first_step: int, first_seconds: float, waits: float) -> None:
    state = run.state
    rate = (state.step - first_step) / max(state.seconds - first_seconds, 1e-9)
    total = run.config.steps or (round(state.step / share) if (share := run.share()) else None)
    details: dict[str, Any] = {"loss": round(state.loss, 4), "waits for data": f"{waits:.1%}"}
    if len(stages_of(run.config)) > 1:
        details["stage"] = run.stage.name or str(state.place.stage + 1)
    if run.compute.device.type == "cuda":
        details["GB"] = round(torch.cuda.max_memory_allocated(run.compute.device) / 1e9, 1)
    run.on_progress(Progress("train", state.step, total, unit="steps", details=details))
    values = {"loss": round(state.loss, 5), "steps_per_second": round(rate, 3), "waits_for_data": round(waits, 4)}
    run.log.write("step", step=state.step, stage=state.place.stage, **values)


def _preview(run: _Run) -> None:
    write_preview(run.model / "preview.png", run.state, run.packs, run.compute)
    if run.config.timelapse:
        folder = run.model / "timelapse"
        folder.mkdir(exist_ok=True)
        data = (run.model / "preview.png").read_bytes()
        (folder / f"{run.state.step:09d}.png").write_bytes(data)


def _save(run: _Run) -> Checkpoint:
    likeness = measure_likeness(run.state, run.packs, run.compute)
    run.saved = run.state.save(run.model, run.config, likeness)
    return run.saved


def _finish(run: _Run, loss: torch.Tensor, stop: StopRequest, first_step: int, first_seconds: float) -> TrainReport:
    """Save, and say how it went."""
    saved = run.saved
    if saved is None or saved.step != run.state.step:
        run.state.loss = float(loss)
        if not math.isfinite(run.state.loss):  # stopped in the middle of a collapse
            _roll_back(run, "the loss is no number")
        saved = run.saved if run.saved and run.saved.step == run.state.step else _save(run)
    state = run.state
    run.log.write("stop", step=state.step, seconds=round(state.seconds, 3), signal=stop.signal_number)
    if stop:
        raise InterruptedRunError(
            f"stopped at step {state.step}, saved as {saved.path}; repeat the command to go on", stop.signal_number
        )
    _preview(run)
    looked: Looked = look(state, run.packs, run.held, run.compute)
    run.log.write("score", step=state.step, held_out=as_event(looked.held), seen=looked.seen, variety=looked.variety)
    advice = write_final_report(run.model / "report.html", state, run.packs, run.held, looked, run.compute)
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
        looked.held,
        tuple(advice),
    )
