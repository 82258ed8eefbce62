"""A swap network as a CUDA graph: recorded once for each identity, then replayed with one call and no work for the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from faceswap.models.network import SwapNetwork
from faceswap.models.runners import in_static_batches

_WARM_UP = 3
"""Passes before the recording, in which libraries choose their kernels and take their memory."""


class _Recorded(NamedTuple):
    """A graph and the buffers that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    patches: Tensor
    face: Tensor
    mask: Tensor


class GraphRunner:
    """Replays a network for batches of one size."""

    def __init__(self, network: SwapNetwork, device: torch.device, dtype: torch.dtype, size: int, batch: int) -> None:
        self._network, self._device, self._dtype = network, device, dtype
        self._shape = (batch, 3, size, size)
        self._recorded: dict[tuple[object, ...], _Recorded] = {}

    def __call__(self, patches: Tensor, identity: int, **options: float) -> tuple[Tensor, Tensor]:
        """See `Runner`; pinned patches are copied without waiting for them."""
        key = (identity, *sorted(options.items()))
        if key not in self._recorded:
            self._recorded[key] = self._record(identity, options)
        recorded = self._recorded[key]

        def replay(full: Tensor) -> tuple[Tensor, Tensor]:
            recorded.patches.copy_(full, non_blocking=True)
            recorded.graph.replay()
            return recorded.face.clone(), recorded.mask.clone()  # the next replay writes into the same buffers

        return in_static_batches(patches, self._shape[0], replay)

    def _record(self, identity: int, options: Mapping[str, float]) -> _Recorded:
        patches = torch.zeros(self._shape, device=self._device)
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._run(patches, identity, options)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Another thread finishes faces meanwhile (`convert.device`); what it asks of the device is its own business.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            face, mask = self._run(patches, identity, options)
        return _Recorded(graph, patches, face, mask)

    def _run(self, patches: Tensor, identity: int, options: Mapping[str, float]) -> tuple[Tensor, Tensor]:
        placed = patches.to(self._dtype).contiguous(memory_format=torch.channels_last)
        face, mask = self._network(placed, identity, **options)
        return face.float(), mask.float()
