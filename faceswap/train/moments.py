"""An optimiser's moments by the names of the parameters they belong to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def moments_of(network: nn.Module, optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    """Return `<parameter>/<moment>` of all parameters that were stepped, on the CPU."""
    return {
        f"{name}/{moment}": optimizer.state[parameter][moment].detach().cpu()
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for moment in _MOMENTS
    }


def load_moments(network: nn.Module, optimizer: torch.optim.AdamW, tensors: dict[str, Tensor]) -> None:
    """Give an optimiser what `moments_of` returned."""
    for name, parameter in network.named_parameters():
        if f"{name}/step" not in tensors:
            continue
        # Moments get the parameter's own memory layout, so that a resumed run computes in the same order.
        moments = {m: torch.empty_like(parameter).copy_(tensors[f"{name}/{m}"]) for m in _MOMENTS[:2]}
        optimizer.state[parameter] = {**moments, "step": tensors[f"{name}/step"].to(parameter.device)}
