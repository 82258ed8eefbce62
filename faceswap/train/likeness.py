"""What a trained model's figures for "who is this?" mean, measured on its training faces."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from faceswap.device import Compute
from faceswap.models.likeness import Likeness, calibrate, rebuild_scores
from faceswap.train.augment import still_sampler
from faceswap.train.data import FacePack
from faceswap.train.state import TrainState

_FACES = 32
"""Of each identity; their median is steady to 0.01."""
_BATCH = 8


@torch.inference_mode()
def measure_likeness(state: TrainState, packs: Sequence[FacePack], compute: Compute) -> dict[str, Likeness]:
    """Return, by identity, how well the averaged network rebuilds its own faces and those of the others."""
    spec = state.spec
    sampler = still_sampler(spec.network.size, compute.device)
    scores = []
    with state.averaged() as network, compute.autocast():
        for pack in packs:
            faces = sampler.draw(pack, _FACES, warp=False).truth.contiguous(memory_format=compute.memory_format)
            parts = [rebuild_scores(network, part, spec.crop_spec) for part in faces.split(_BATCH)]
            scores.append(torch.cat(parts))
    return calibrate(scores, spec.identities)
