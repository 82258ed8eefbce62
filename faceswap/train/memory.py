"""How much memory a step takes: the batch that fits, and what to do when it did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from faceswap.device import Compute
from faceswap.errors import ResourceError

if TYPE_CHECKING:
    from faceswap.models.network import SwapNetwork

_FULL = ("can't allocate memory", "not enough memory")
_COPIES = 5
"""Of the weights: themselves, gradients, two moments, the average."""
_FREE_SHARE = 0.8
_WORKSPACE = 1.6
"""Memory at the peak over what is kept for the gradients: the gradients themselves, convolutions' working space."""
_MOST = 64
_DEFAULT_ON_CPU = 16
"""More than this makes steps slower and training no better on a CPU."""


@dataclass(frozen=True, slots=True)
class Relief:
    """What is done to need less memory."""

    parts: int = 1
    """In which a batch is computed, one after the other."""
    saves_memory: bool = False
    """Inner values are computed again for the gradients instead of kept."""

    def more(self, batch: int) -> tuple[Relief, str]:
        """Return the next thing to do, and a sentence about it.

        Raises:
            ResourceError: nothing is left to do.
        """
        if not self.saves_memory:
            return replace(self, saves_memory=True), "inner values are computed twice instead of kept (a third slower)"
        if self.parts >= batch:
            raise ResourceError(
                "out of memory with one face of each identity at a time; take a smaller network (--recipe), or another device"
            )
        parts = min(batch, self.parts * 2)
        return replace(self, parts=parts), f"the batch of {batch} is computed in {parts} parts; the step stays the same"


def is_out_of_memory(error: RuntimeError) -> bool:
    """True for the errors by which PyTorch says that memory is full, on GPUs and CPUs."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _FULL)


def automatic_batch(network: SwapNetwork, size: int, compute: Compute, available: int | None = None) -> tuple[int, str]:
    """Return the largest batch that fits, and a sentence about it.

    Args:
        available: bytes; None = what the device has left.
    """
    sample = _bytes_of_a_sample(network, size, compute)
    weights = _COPIES * sum(p.numel() * p.element_size() for p in network.parameters())
    free = _available(compute.device) if available is None else available
    fitting = int((free * _FREE_SHARE - weights) / (sample * network_identities(network) * _WORKSPACE))
    limit = _DEFAULT_ON_CPU if compute.device.type == "cpu" else _MOST
    batch = max(1, min(limit, fitting))
    if batch > 4:
        batch -= batch % 4
    sentence = (
        f"batch {batch}: {weights / 1e6:.0f} MB for the weights, {sample * _WORKSPACE / 1e6:.0f} MB for each face, "
        f"{free / 1e9:.1f} GB free"
    )
    return batch, sentence


def network_identities(network: SwapNetwork) -> int:
    """Return how many identities a network knows."""
    return getattr(network, "num_identities", 0) or len(network.decoders)


def _bytes_of_a_sample(network: SwapNetwork, size: int, compute: Compute) -> int:
    """Return what one face leaves behind for the gradients, in bytes: counted, so no memory has to be tried out."""
    seen: dict[int, int] = {}
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    def same(value: Any) -> Any:
        return value

    hooks: Callable[..., Any] = torch.autograd.graph.saved_tensors_hooks
    faces = torch.zeros(2, 3, size, size, device=compute.device).contiguous(memory_format=compute.memory_format)
    with hooks(keep, same), compute.autocast():
        outputs = network.decode(network.encode(faces), 0)
    del outputs
    return max(1, sum(seen.values()) // 2)


def _available(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 4 << 30
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), 4 << 30)
