"""How the learning rate and the warp change over a run."""

from __future__ import annotations

import math

from faceswap.train.config import TrainConfig

_FINAL_RATE = 0.05


def run_share(config: TrainConfig, step: int, seconds: float) -> float:
    """Return how much of the run is done, [0, 1]: whichever of steps and budget is further; 0 when it has no end."""
    shares = [0.0]
    if config.steps:
        shares.append(step / config.steps)
    if config.budget_seconds:
        shares.append(seconds / config.budget_seconds)
    return min(1.0, max(shares))


def learning_rate(config: TrainConfig, step: int, share: float) -> float:
    """Return the rate of a step: linear warm-up, flat, cosine down to a twentieth."""
    warm = min(1.0, (step + 1) / (config.warm_up + 1))
    if share <= config.decay_from:
        return config.learning_rate * warm
    position = (share - config.decay_from) / max(1e-9, 1 - config.decay_from)
    fall = _FINAL_RATE + (1 - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * position))
    return config.learning_rate * warm * fall
