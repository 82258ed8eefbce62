"""What a run works with: its data, its state, and how both are prepared, judged, saved and rolled back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from faceswap.device import Compute
from faceswap.errors import FaceswapError
from faceswap.facesets.store import FaceSet
from faceswap.models.checkpoint import Checkpoint
from faceswap.models.spec import SwapSpec
from faceswap.progress import OnProgress
from faceswap.train.augment import Batch, Sampler, exchange_colors
from faceswap.train.config import StageSettings, TrainConfig
from faceswap.train.data import FacePack, load_pack
from faceswap.train.distributed import Team
from faceswap.train.engines import StepOf, choose_engine, make_engine
from faceswap.train.held_out import as_event, divided, held_out, look
from faceswap.train.identity_loss import load_identity_loss
from faceswap.train.likeness import measure_likeness
from faceswap.train.log import EventLog
from faceswap.train.schedule import run_share, stages_of
from faceswap.train.start import fresh_state
from faceswap.train.state import TrainState
from faceswap.train.step import Stepper
from faceswap.train.watch import Scored, collapse, has_plateau, is_learnt_by_heart

_MOST_ROLL_BACKS = 4
"""In one call; more are no accident."""


@dataclass(slots=True, eq=False)
class Run:
    """What a call of `train_model` works with. Each process of a team has one; they stay the same, but for what is heard
    and written."""

    model: Path
    config: TrainConfig
    compute: Compute
    team: Team
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

    @property
    def has_plateau(self) -> bool:
        """True when the scores of this stage get no better."""
        return has_plateau([row for row in self.state.history if row.step > self.state.place.step])

    def share(self) -> float:
        """Return how much of the run is done, [0, 1]."""
        return run_share(self.config, self.state.step, self.state.seconds)

    def load_packs(self) -> None:
        """Load the facesets at the size of the stage; the first process makes what the others find."""
        crop, regions, device = self.state.spec.crop_spec, self.config.regions, self.compute.device
        packs = self.team.in_turn(lambda: [load_pack(faceset, crop, device, regions) for faceset in self.sets])
        parts = [divided(pack, held_out(pack.records), self.config.augment.balance) for pack in packs]
        self.packs, self.held = [part[0] for part in parts], [part[1] for part in parts]

    def prepare(self) -> tuple[StepOf, Sampler]:
        """Return the step and the sampler of the stage that is on."""
        config, state, size = self.config, self.state, self.state.spec.network.size
        sampler = Sampler(config.augment, size, state.generator, self.compute.device, self.team)
        return make_engine(self._engine(), self._stepper(state, self.team)), sampler

    def _engine(self) -> str:
        config, compute, state = self.config, self.compute, self.state

        def throw_away() -> tuple[Stepper, Sequence[Batch]]:
            other = TrainState.create(state.spec, config, compute)
            sampler = Sampler(config.augment, state.spec.network.size, other.generator, compute.device)
            batches = [sampler.draw(pack, config.batch // self.team.size, warp=True) for pack in self.packs]
            return self._stepper(other), batches

        is_plain = not self.stage.gan and state.relief.parts == 1 and not state.relief.saves_memory
        is_plain = is_plain and not state.scaler.is_enabled()
        return self.team.first_does(
            lambda: choose_engine(
                self.model,
                config,
                compute,
                is_plain=is_plain,
                num_processes=self.team.size,
                make=throw_away,
                on_note=self.on_note,
            )
        )

    def _stepper(self, state: TrainState, team: Team | None = None) -> Stepper:
        identity = None
        if self.config.loss.identity:
            encoder = Path(self.config.loss.encoder)
            identity = load_identity_loss(encoder, state.spec.crop_spec, self.compute.device)
        return Stepper(
            state,
            self.config,
            self.compute,
            self.stage,
            team=team or Team(),
            identity_loss=identity,
            on_note=self.on_note,
        )

    def draw(self, sampler: Sampler) -> Sequence[Batch]:
        """Return the next batch of each identity; of several processes', this one's rows."""
        batches = [sampler.draw(pack, self.config.batch, warp=self.stage.warp) for pack in self.packs]
        return exchange_colors(batches, self.config.augment.exchange, self.state.generator, self.team)

    def read(self, loss: Tensor) -> float:
        """Wait for the device, and return the loss over all processes."""
        return float(self.team.mean(loss))

    def look(self) -> str | None:
        """Score the network; return what has collapsed, in words."""
        trouble, self.state.history = self.team.first_does(self._scored)
        return trouble

    def _scored(self) -> tuple[str | None, tuple[Scored, ...]]:
        """Return what has collapsed, and the scores so far, with this one unless something has."""
        state, history = self.state, self.state.history
        looked = look(state, self.packs, self.held, self.compute)
        row = Scored(
            state.step,
            round(state.seconds, 1),
            round(state.loss, 5),
            looked.held_ssim,
            looked.seen,
            looked.sharpness,
            looked.variety,
        )
        trouble = collapse([r for r in (*history, row) if r.step > state.place.step])
        self.log.write(
            "score", step=state.step, held_out=as_event(looked.held), seen=looked.seen, variety=looked.variety
        )
        if trouble is None and (not history or history[-1].step < state.step):
            history = (*history, row)
            if is_learnt_by_heart(history) and not self.is_learnt_by_heart:
                self.is_learnt_by_heart = True
                self.on_note(
                    f"step {state.step}: held-out faces get worse while those of the training get better: learnt by heart"
                )
        return trouble, history

    def save(self) -> Checkpoint:
        """Publish a checkpoint; the first process writes it, and all wait until it is there."""

        def write() -> Checkpoint:
            return self.state.save(self.model, self.config, measure_likeness(self.state, self.packs, self.compute))

        self.saved = self.team.first_does(write)
        return self.saved

    def roll_back(self, trouble: str) -> Tensor:
        """Go back to the last checkpoint with half the learning rate, and other draws than those that led here.

        Returns:
            The loss there.

        Raises:
            FaceswapError: once too often.
        """
        self.roll_backs += 1
        step, factor, saved = self.state.step, self.state.rate_factor / 2, self.saved
        place = f"the checkpoint of step {saved.step}" if saved else "the start"
        self.log.write("roll_back", step=step, because=trouble, to=saved.step if saved else 0, rate_factor=factor)
        self.team.first_does(lambda: self._require_hope(step, trouble, place))
        seconds, consents = self.state.seconds, self.state.consents
        if saved:
            self.state = TrainState.restore(saved, self.spec, self.config, self.compute)
        else:
            self.state = fresh_state(self.spec, self.config, self.compute, self.on_note)
        self.state.seconds, self.state.rate_factor, self.state.consents = seconds, factor, consents
        self.state.generator.manual_seed(self.config.seed + 7919 * self.roll_backs + step)
        self.on_note(
            f"step {step}: training collapsed, {trouble}; back to {place} with {factor:g} times the learning rate"
        )
        self.load_packs()
        return torch.tensor(self.state.loss)

    def _require_hope(self, step: int, trouble: str, place: str) -> None:
        if self.roll_backs > _MOST_ROLL_BACKS:
            raise FaceswapError(
                f"training collapsed at step {step} for the {self.roll_backs}th time ({trouble}); {place} is kept; look at "
                "the facesets, or start with a much lower rate, e.g. --set learning_rate=1e-5"
            )
