"""How large a network is and how much it computes, without building it: on torch's `meta` device nothing is allocated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap.models.registry import build_network, count_parameters
from faceswap.models.spec import NetworkSpec

_BACKWARD = 3
"""A training step computes the forward pass and two gradients of the same size."""


@dataclass(frozen=True, slots=True)
class NetworkWork:
    """What a network costs."""

    parameters: int
    """Of all identities."""
    swap_flop: int
    """One face to the first identity, multiplications and additions of convolutions and dense layers counted apart."""
    step_flop: int
    """One training step with one face of each identity (a pair, when there are two)."""

    def __str__(self) -> str:
        return (
            f"{self.parameters / 1e6:.1f} M parameters, {self.swap_flop / 1e9:.3g} GFLOP a swap, "
            f"{self.step_flop / 1e9:.4g} GFLOP a training step with one face of each"
        )


def work_of(spec: NetworkSpec, num_identities: int = 2) -> NetworkWork:
    """Return what a network costs.

    Raises:
        UsageError: there is no such network.
    """
    with torch.device("meta"):
        network = build_network(spec, num_identities).eval()
        patch = torch.empty(1, 3, spec.size, spec.size)
    flops = []
    for identity in range(num_identities):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(patch, identity)
        flops.append(counter.get_total_flops())
    return NetworkWork(count_parameters(network), flops[0], _BACKWARD * sum(flops))
