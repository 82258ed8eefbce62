"""How a conversion's networks are run: settled once before rendering, for all of its processes, and kept when it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from faceswap.device import fitting_batch
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
        fits = budgeted_batch(model, batch)
        if kept is not None:
            name, fits = kept[i]
            choice = RunnerChoice(name, "as the conversion began", {})
        elif model.has_one_runner:
            choice = RunnerChoice(model.runner, "the file's own", {})
        elif wish == AUTO and num_faces < WORTH_A_PROBE:
            choice = RunnerChoice(usual_runner(model.compute), "usual, too few faces for a measurement", {})
        else:
            choice = chosen_runner(model, fits, wish)
        if fits < batch:
            choice = replace(choice, reason=f"{choice.reason}, {fits} faces at a time for want of memory")
        model.use_runner(choice.runner, fits)
        choices.append(choice)
    return tuple(choices)


def budgeted_batch(model: SwapModel, wanted: int) -> int:
    """Return how many faces, at most `wanted`, fit into the GPU's free memory together, by what a single one takes."""
    device = model.compute.device
    if device.type != "cuda":
        return wanted
    one = torch.zeros(1, 3, model.crop.size, model.crop.size)
    model.swap(one, to=model.identities[0])  # the first pass brings the weights, which are taken once
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    model.swap(one, to=model.identities[0])
    taken = torch.cuda.max_memory_allocated(device) - before
    return fitting_batch(torch.cuda.mem_get_info(device)[0], taken, wanted)


def _kept(models: Sequence[SwapModel], begun: Mapping[str, Any] | None) -> list[tuple[str, int]] | None:
    """Return runner and batch of each model in a job that was begun with these models; None when they cannot be kept."""
    if not begun or begun.get("models") != [model.manifest_sha256 for model in models]:
        return None
    try:
        pairs = zip(begun["runners"], models, strict=True)
        return [(_known(model, str(name)), int(batch)) for (name, batch), model in pairs]
    except (KeyError, TypeError, ValueError, UsageError):  # of another version, or begun on another device
        return None


def _known(model: SwapModel, name: str) -> str:
    return model.runner if model.has_one_runner else checked_runner(name, model.compute)
