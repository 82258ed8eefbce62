"""One training step: all identities in one pass through the shared encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceswap.device import Compute
from faceswap.train.augment import Batch
from faceswap.train.config import TrainConfig
from faceswap.train.losses import swap_loss
from faceswap.train.state import TrainState

_MAX_GRADIENT = 1.0
"""Norm over all weights. A single odd batch can otherwise throw a network at a high rate so far that it never comes back."""


def train_step(
    state: TrainState, batches: Sequence[Batch], config: TrainConfig, compute: Compute, rate: float
) -> Tensor:
    """Update the weights once; return the loss over all identities as a scalar tensor (not yet read back)."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    inputs = torch.cat([batch.inputs for batch in batches]).contiguous(memory_format=compute.memory_format)
    with compute.autocast():
        codes = state.network.encode(inputs).split([len(batch.inputs) for batch in batches])
        outputs = [state.network.decode(code, identity) for identity, code in enumerate(codes)]
    # One loss over all identities: half the small operations of one loss each.
    face, mask = (torch.cat(parts).float() for parts in zip(*outputs, strict=True))
    truth = torch.cat([batch.truth for batch in batches])
    loss = swap_loss(face, mask, truth, torch.cat([batch.mask for batch in batches]), config.loss)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), _MAX_GRADIENT)
    state.optimizer.step()
    state.step += 1
    state.update_ema(config.ema_decay)
    return loss.detach()
