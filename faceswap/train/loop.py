"""The training loop: readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from faceswap.device import Compute, choose_compute
from faceswap.errors import CheckpointError, FaceswapError, InterruptedRunError, UsageError
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.models.checkpoint import Checkpoint, find_checkpoint, has_checkpoint, remove_leftovers
from faceswap.models.spec import SwapSpec
from faceswap.models.work import work_of
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.train.augment import Sampler, exchange_colors
from faceswap.train.config import TrainConfig
from faceswap.train.consents import consents_of
from faceswap.train.data import FacePack, load_pack
from faceswap.train.held_out import HeldOutScore, as_event, divided, held_out, score
from faceswap.train.likeness import measure_likeness
from faceswap.train.log import EventLog
from faceswap.train.preview import write_preview
from faceswap.train.schedule import learning_rate, run_share
from faceswap.train.state import TrainState
from faceswap.train.step import train_step

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
        model: folder for checkpoints, preview.png and events.jsonl.
        on_note: receives sentences a person should read (device, size, what is resumed).

    Raises:
        UsageError: no end is set, or the folder holds another model. CropMismatchError, NoFaceError: unfit facesets.
        ResourceError: disk full (older checkpoints are intact).
        InterruptedRunError: stopped by a signal, after saving.
    """
    model = Path(model)
    if config.steps is None and config.budget is None:
        raise UsageError("training needs an end: give --steps N or --budget T (like 10m), or set one in the recipe")
    sets = [FaceSet.open(path) for path in facesets]
    spec = SwapSpec(network=config.network, crop=config.crop, identities=_identities(sets))
    compute = choose_compute(device, config.precision)
    with folder_lock(model, "train"):
        remove_leftovers(model)
        state, saved = _start(model, spec, config, compute, on_note)
        state.consents = consents_of(sets, on_note)
        parts = [
            divided(load_pack(s, spec.crop_spec, compute.device), held_out(s.records()), config.augment.balance)
            for s in sets
        ]
        packs, held = [part[0] for part in parts], [part[1] for part in parts]
        on_note(
            f"{spec.network.name} {spec.network.size} px, {work_of(spec.network, len(spec.identities))}, on {compute}: "
            + ", ".join(f"{pack.actor}: {len(pack)} faces" for pack in packs)
            + "".join(f", {len(pack)} of {pack.actor} held out" for pack in held if pack is not None)
        )
        with stop_on_signal() as stop, disk_errors_named(model):
            return _run(model, state, saved, packs, held, config, compute, on_progress, stop)


def _identities(sets: Sequence[FaceSet]) -> tuple[str, ...]:
    actors = tuple(faceset.actor for faceset in sets)
    if len(set(actors)) != len(actors):
        raise UsageError(f"two facesets are of the same actor ({', '.join(actors)}); each identity needs its own name")
    return actors


def _start(
    model: Path, spec: SwapSpec, config: TrainConfig, compute: Compute, on_note: Callable[[str], None]
) -> tuple[TrainState, Checkpoint | None]:
    if not has_checkpoint(model):
        return TrainState.create(spec, config, compute), None
    try:
        checkpoint = find_checkpoint(model)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; move the folder away to start afresh") from error
    for reason in checkpoint.rejected:
        on_note(f"passed over: {reason}")
    state = TrainState.restore(checkpoint, spec, config, compute)
    on_note(f"going on from step {state.step} ({checkpoint.path.name})")
    return state, checkpoint


def _run(
    model: Path,
    state: TrainState,
    saved: Checkpoint | None,
    packs: Sequence[FacePack],
    held: Sequence[FacePack | None],
    config: TrainConfig,
    compute: Compute,
    on_progress: OnProgress,
    stop: StopRequest,
) -> TrainReport:
    log = EventLog(model / "events.jsonl")
    log.write("start", step=state.step, compute=str(compute), config=config.model_dump(mode="json"))
    sampler = Sampler(config.augment, config.network.size, state.generator, compute.device)
    first_step, first_seconds = state.step, state.seconds
    start = time.perf_counter()
    loss = torch.tensor(state.loss)
    while (share := run_share(config, state.step, state.seconds)) < 1 and not stop:
        has_warp = share < config.augment.warp_until
        batches = [sampler.draw(pack, config.batch, warp=has_warp) for pack in packs]
        batches = exchange_colors(batches, config.augment.exchange, state.generator)
        loss = train_step(state, batches, config, compute, learning_rate(config, state.step, share))
        state.seconds = first_seconds + time.perf_counter() - start
        if state.step % _REPORT_EVERY == 0 or state.step % config.checkpoint_every == 0:
            _require_finite(loss, state, saved, log)
            state.loss = float(loss)
        if state.step % _REPORT_EVERY == 0:
            _report(state, config, first_step, first_seconds, on_progress, log)
        if state.step % config.preview_every == 0:
            write_preview(model / "preview.png", state, packs, compute)
            log.write("score", step=state.step, held_out=as_event(score(state, held, compute)))
        if state.step % config.checkpoint_every == 0:
            saved = state.save(model, config, measure_likeness(state, packs, compute))
    if saved is None or saved.step != state.step:
        _require_finite(loss, state, saved, log)
        state.loss = float(loss)
        saved = state.save(model, config, measure_likeness(state, packs, compute))
    log.write("stop", step=state.step, seconds=round(state.seconds, 3), signal=stop.signal_number)
    if stop:
        raise InterruptedRunError(
            f"stopped at step {state.step}, saved as {saved.path}; repeat the command to go on", stop.signal_number
        )
    write_preview(model / "preview.png", state, packs, compute)
    scores = score(state, held, compute)
    log.write("score", step=state.step, held_out=as_event(scores))
    seconds, steps = state.seconds - first_seconds, state.step - first_step
    rate = steps / max(seconds, 1e-9)
    return TrainReport(model, state.step, steps, seconds, rate, state.loss, state.spec.identities, saved.path, scores)


def _require_finite(loss: torch.Tensor, state: TrainState, saved: Checkpoint | None, log: EventLog) -> None:
    """Stop before a collapsed network is saved over good ones."""
    if torch.isfinite(loss):
        return
    log.write("collapse", step=state.step)
    kept = f"the checkpoint of step {saved.step} is kept" if saved else "nothing was saved yet"
    raise FaceswapError(
        f"training collapsed before step {state.step} (the loss is no number); {kept}; "
        "repeat the command with a lower rate, e.g. --set learning_rate=1e-4"
    )


def _report(
    state: TrainState,
    config: TrainConfig,
    first_step: int,
    first_seconds: float,
    on_progress: OnProgress,
    log: EventLog,
) -> None:
    rate = (state.step - first_step) / max(state.seconds - first_seconds, 1e-9)
    total = config.steps or round(state.step / max(run_share(config, state.step, state.seconds), 1e-9))
    on_progress(Progress("train", state.step, total, unit="steps", details={"loss": round(state.loss, 4)}))
    log.write("step", step=state.step, loss=round(state.loss, 5), steps_per_second=round(rate, 3))
