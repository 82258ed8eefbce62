"""A picture of how far training is: real faces, rebuilt faces, swapped faces, masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from faceswap.device import Compute
from faceswap.files import write_atomic
from faceswap.media.picture_texts import png_with_texts
from faceswap.media.pictures import encode_picture
from faceswap.provenance.mark import Mark
from faceswap.provenance.picture_mark import texts_of
from faceswap.train.augment import still_sampler
from faceswap.train.data import FacePack
from faceswap.train.state import TrainState

_COLUMNS = 6
_MARK = Mark("in training", statement="AI-generated: faces in this picture were made by a model in training")


@torch.inference_mode()
def write_preview(path: Path, state: TrainState, packs: Sequence[FacePack], compute: Compute) -> None:
    """Write a PNG: for each identity a row of faces, rebuilt, as every other identity, and the mask of the last."""
    sampler = still_sampler(state.spec.network.size, compute.device)
    rows = []
    with state.averaged() as network:
        for own, pack in enumerate(packs):
            truth = sampler.draw(pack, _COLUMNS, warp=False).truth
            with compute.autocast():
                code = network.encode(truth.contiguous(memory_format=compute.memory_format))
                outputs = [network.decode(code, i) for i in (own, *(i for i in range(len(packs)) if i != own))]
            rows += [truth, *(face.float() for face, _ in outputs), outputs[-1][1].float().expand(-1, 3, -1, -1)]
    grid = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    rgb = (grid.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).cpu().numpy()
    write_atomic(path, png_with_texts(encode_picture(".png", rgb), texts_of(_MARK)))
