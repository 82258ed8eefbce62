"""How a conversion's networks are run: settled once before rendering, for all of its processes, and kept when it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from faceswap.errors import UsageError
from faceswap.models.probe import RunnerChoice, chosen_runner
from faceswap.models.runners import AUTO, checked_runner, usual_runner
from faceswap.models.swap_model import SwapModel

WORTH_A_PROBE = 200
"""Faces below which a measurement of some seconds costs more than it can bring."""


def settle_runners(
    models: Sequence[SwapModel], wish: str, batch: int, num_faces: int, begun: Mapping[str, Any] | None
) -> tuple[RunnerChoice, ...]:
    """Let each model use its runner from now on; return which, and why.

    Args:
        wish: a runner's name, or "auto". num_faces: to be swapped.
        begun: facts of the job that the work folder holds. With the same models its runners are kept, so that the files come
            out the same; whatever else has changed makes it another job anyway.

    Raises:
        UsageError: there is no runner of that name on this device.
    """
    kept = _kept(models, begun) if wish == AUTO else None
    choices = []
    for i, model in enumerate(models):
        if kept is not None:
            choice = RunnerChoice(kept[i], "as the conversion began", {})
        elif wish == AUTO and num_faces < WORTH_A_PROBE:
            choice = RunnerChoice(usual_runner(model.compute), "usual, too few faces for a measurement", {})
        else:
            choice = chosen_runner(model, batch, wish)
        model.use_runner(choice.runner, batch)
        choices.append(choice)
    return tuple(choices)


def _kept(models: Sequence[SwapModel], begun: Mapping[str, Any] | None) -> list[str] | None:
    """Return the runners of a job that was begun with these models; None when they cannot be kept."""
    if not begun or begun.get("models") != [model.manifest_sha256 for model in models]:
        return None
    runners = begun.get("runners")
    if not isinstance(runners, list) or len(runners) != len(models):
        return None
    try:
        return [checked_runner(str(name), model.compute) for name, model in zip(runners, models, strict=True)]
    except UsageError:  # begun on another device
        return None
