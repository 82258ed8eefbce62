"""How a run begins: afresh, from another model's weights, or from its own last checkpoint; and what a stage changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from faceswap.device import Compute
from faceswap.errors import CheckpointError
from faceswap.models.checkpoint import Checkpoint, find_checkpoint, has_checkpoint, remove_leftovers
from faceswap.models.spec import SwapSpec
from faceswap.train.carry import carry
from faceswap.train.config import StageSettings, TrainConfig
from faceswap.train.critic import Critic
from faceswap.train.distributed import ALONE, Team
from faceswap.train.memory import automatic_batch
from faceswap.train.schedule import stages_of
from faceswap.train.state import TrainState, sized

OnNote = Callable[[str], None]


def begin(
    model: Path, spec: SwapSpec, config: TrainConfig, compute: Compute, on_note: OnNote, team: Team = ALONE
) -> tuple[TrainState, Checkpoint | None, TrainConfig]:
    """Return the state to go on from, its checkpoint if there is one, and the settings with nothing left to choose.

    Raises:
        CheckpointError: none of the folder's checkpoints is whole. UsageError: it holds another model.
    """
    checkpoint = team.first_does(lambda: _newest(model))
    if checkpoint is None:
        state = team.in_turn(lambda: fresh_state(spec, config, compute, on_note))
        config = team.first_does(lambda: _with_batch(config, state, compute, on_note, team))
        team.in_turn(lambda: team.require_shares(config.batch))
        return state, None, config
    for reason in checkpoint.rejected:
        on_note(f"passed over: {reason}")
    if not config.batch:
        config = config.model_copy(update={"batch": checkpoint.document("train")["batch"]})
    team.in_turn(lambda: team.require_shares(config.batch))
    state = team.in_turn(lambda: TrainState.restore(checkpoint, spec, config, compute))
    on_note(f"going on from step {state.step} ({checkpoint.path.name})")
    return state, checkpoint, config


def _newest(model: Path) -> Checkpoint | None:
    """Return the checkpoint to go on from, None = there is none yet. The caller holds the folder's lock."""
    remove_leftovers(model)
    if not has_checkpoint(model):
        return None
    try:
        return find_checkpoint(model)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; move the folder away to start afresh") from error


def fresh_state(spec: SwapSpec, config: TrainConfig, compute: Compute, on_note: OnNote) -> TrainState:
    """Return the state at the beginning of a run's first stage."""
    first = stages_of(config)[0]
    state = TrainState.create(sized(spec, first.size or spec.network.size), config, compute)
    if config.init_from:
        _warm(state, Path(config.init_from), config, on_note)
    if config.stage:
        enter_stage(state, first, config, compute, on_note)
    return state


def enter_stage(
    state: TrainState, stage: StageSettings, config: TrainConfig, compute: Compute, on_note: OnNote
) -> None:
    """Change the state as the beginning of a stage wants it, in place."""
    size = stage.size or config.network.size
    changes = []
    if size != state.spec.network.size:
        changes.append(f"{state.spec.network.size} to {size} px ({state.resized(size, config, compute)})")
    if stage.reset:
        state.reset(stage.reset, config, compute)
        changes.append(f"{', '.join(stage.reset)} begin anew")
    if stage.gan and not state.critic:
        state.start_from_average()
        state.critic = Critic.create(config.seed, config.learning_rate, compute)
        changes.append("a discriminator joins, from the averaged weights on")
    if not stage.gan:
        state.critic = None
    changes += [f"{', '.join(stage.freeze)} frozen"] if stage.freeze else []
    changes += [f"{stage.pairs:.0%} of the inputs are own swaps"] if stage.pairs else []
    changes += [] if stage.warp else ["no warp"]
    name = f" ({stage.name})" if stage.name else ""
    on_note(f"stage {state.place.stage + 1}{name} from step {state.step}" + "".join(f"; {text}" for text in changes))


def _warm(state: TrainState, folder: Path, config: TrainConfig, on_note: OnNote) -> None:
    checkpoint = find_checkpoint(folder)
    carried = carry(state.network, checkpoint.tensors("ema"), config.init_reset)
    for name, value in state.network.state_dict().items():
        state.ema[name].copy_(value)
    on_note(f"from {checkpoint.path}: {carried}")


def _with_batch(config: TrainConfig, state: TrainState, compute: Compute, on_note: OnNote, team: Team) -> TrainConfig:
    if config.batch:
        return config
    batch, sentence = automatic_batch(state.network, config.network.size, compute)
    on_note(sentence if team.size == 1 else f"each of {team.size} processes: {sentence}")
    return config.model_copy(update={"batch": batch * team.size})
