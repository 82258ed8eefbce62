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


def train_step(
    state: TrainState, batches: Sequence[Batch], config: TrainConfig, compute: Compute, rate: float
) -> Tensor:
    """Update the weights once; return the mean loss of the identities as a scalar tensor (not yet read back)."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    inputs = torch.cat([batch.inputs for batch in batches]).contiguous(memory_format=compute.memory_format)
    losses = []
    with compute.autocast():
        codes = state.network.encode(inputs).split([len(batch.inputs) for batch in batches])
        outputs = [state.network.decode(code, identity) for identity, code in enumerate(codes)]
    for batch, (face, mask) in zip(batches, outputs, strict=True):
        losses.append(swap_loss(face.float(), mask.float(), batch.truth, batch.mask, config.loss))
    loss = torch.stack(losses).mean()
    loss.backward()
    state.optimizer.step()
    state.step += 1
    state.update_ema(config.ema_decay)
    return loss.detach()
