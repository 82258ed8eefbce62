"""The stages of a run: which one is on, how the learning rate changes, and when everything is over."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from faceswap.errors import UsageError
from faceswap.train.config import StageSettings, TrainConfig

_FINAL_RATE = 0.05
_FINISH = "30% more"
"""Of the steps until the plateau: the finish of a run that stops by itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which stage a run is in, and where that began."""

    stage: int = 0
    step: int = 0
    share: float = 0.0
    """Of the run."""

    def to_document(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def stages_of(config: TrainConfig) -> tuple[StageSettings, ...]:
    """Return the stages of a run; of one that names none, those that are meant."""
    if config.stage:
        return config.stage
    if config.until == "plateau":
        return (
            StageSettings(name="learn", until="plateau", decay_from=1.0),
            StageSettings(name="finish", until=_FINISH, warp=False, decay_from=0.0),
        )
    sharpen = StageSettings(name="sharpen", warp=False)
    if config.augment.warp_until <= 0:
        return (sharpen,)
    warped = StageSettings(name="warp", until=config.augment.warp_until)
    return (warped,) if config.augment.warp_until >= 1 else (warped, sharpen)


def require_end(config: TrainConfig) -> None:
    """Raise UsageError when a run would never end."""
    if config.steps is None and config.budget is None and any(isinstance(s.until, float) for s in stages_of(config)):
        raise UsageError(
            "training needs an end: give --steps N, --budget T (like 10m) or --until plateau, or set one in the recipe"
        )


def run_share(config: TrainConfig, step: int, seconds: float) -> float:
    """Return how much of the run is done, [0, 1]: whichever of steps and budget is further; 0 when neither is set."""
    shares = [0.0]
    if config.steps:
        shares.append(step / config.steps)
    if config.budget_seconds:
        shares.append(seconds / config.budget_seconds)
    return min(1.0, max(shares))


def expected_steps(config: TrainConfig, step: int, seconds: float, rate: float) -> int | None:
    """Return the step at which the run will end if it goes on at `rate`, steps a second; None = nobody knows."""
    ends = [config.steps] if config.steps else []
    if config.budget_seconds:
        ends.append(step + round(rate * max(0.0, config.budget_seconds - seconds)))
    return min(ends, default=None)


def stage_share(stage: StageSettings, place: Place, step: int, share: float) -> float:
    """Return how much of the stage is done, [0, 1]; 0 while it waits for a plateau."""
    if stage.until == "plateau":
        return 0.0
    if isinstance(stage.until, str):
        number = int(stage.until.split("%")[0].split()[0])
        length = max(1, round(place.step * number / 100)) if "%" in stage.until else number
        return min(1.0, (step - place.step) / length)
    return min(1.0, (share - place.share) / (stage.until - place.share)) if share < stage.until else 1.0


def advanced(config: TrainConfig, place: Place, step: int, share: float, *, has_plateau: bool) -> Place | None:
    """Return where the run is now; None = it is over."""
    stages = stages_of(config)
    if share >= 1:
        return None
    while (
        has_plateau
        if stages[place.stage].until == "plateau"
        else (stage_share(stages[place.stage], place, step, share) >= 1)
    ):
        if place.stage + 1 == len(stages):
            return None
        place, has_plateau = Place(place.stage + 1, step, share), False
    return place


def learning_rate(config: TrainConfig, place: Place, step: int, share: float) -> float:
    """Return the rate of a step: linear warm-up, flat, cosine down to a twentieth."""
    stage = stages_of(config)[place.stage]
    first, warm_up = (0, config.warm_up) if stage.warm_up is None else (place.step, stage.warm_up)
    rate = (stage.learning_rate or config.learning_rate) * min(1.0, (step - first + 1) / (warm_up + 1))
    decay_from, done = config.decay_from, share
    if stage.decay_from is not None:
        decay_from, done = stage.decay_from, stage_share(stage, place, step, share)
    if done <= decay_from:
        return rate
    position = (done - decay_from) / max(1e-9, 1 - decay_from)
    return rate * (_FINAL_RATE + (1 - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * position)))
