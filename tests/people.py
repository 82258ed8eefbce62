"""Two people who differ in colour only, and networks that tell them apart by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from clips import astronaut_picture, make_clip
from makers import tiny_model
from numpy.typing import NDArray
from torch import Tensor

from faceswap import geometry
from faceswap.models.likeness import Likeness
from faceswap.models.swap_model import SwapModel
from faceswap.types import CropSpec

RED, BLUE = (1.0, 0.55, 0.45), (0.45, 0.6, 1.0)
SIDE = 160


def person(tint: tuple[float, float, float], shift: float = 0.0) -> NDArray[np.uint8]:
    """Return a (160, 160, 3) picture with one face."""
    return (astronaut_picture((SIDE, SIDE), shift) * np.array(tint)).astype(np.uint8)


def red_and_blue(frame: int) -> NDArray[np.uint8]:
    """Return a (160, 320, 3) picture: the red person left, the blue one right."""
    return np.hstack([person(RED, np.sin(frame / 5)), person(BLUE, np.cos(frame / 5))])


def blue_and_red(frame: int) -> NDArray[np.uint8]:
    return np.hstack([person(BLUE), person(RED)])


def make_two_person_clip(path: Path, num_frames: int = 12, picture: Any = red_and_blue) -> Path:
    return make_clip(path, size=(SIDE, 2 * SIDE), num_frames=num_frames, picture=picture)


class RedJudge(SwapModel):
    """An untrained model whose second identity is the red person; it knows nobody else."""

    def rebuild_scores(self, patches: Tensor) -> Tensor:
        is_red = (patches[:, 0].mean(dim=(1, 2)) > patches[:, 2].mean(dim=(1, 2))).float()
        scores = torch.full((len(patches), len(self.identities)), 0.4)
        scores[:, 1] += 0.55 * is_red
        return scores


class BlueJudge(SwapModel):
    """The same for the blue person."""

    def rebuild_scores(self, patches: Tensor) -> Tensor:
        is_blue = (patches[:, 2].mean(dim=(1, 2)) > patches[:, 0].mean(dim=(1, 2))).float()
        scores = torch.full((len(patches), len(self.identities)), 0.4)
        scores[:, 1] += 0.55 * is_blue
        return scores


def judge_model(
    folder: Path, kind: type[SwapModel] = RedJudge, identities: tuple[str, ...] = ("anna", "bert"), size: int = 64
) -> SwapModel:
    """Return a tiny model that tells people apart by colour."""
    network = {"name": "df", "size": size, "encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4}
    model = kind.load(tiny_model(folder, identities, network=network), device="cpu", precision="fp32")
    model.likeness = dict.fromkeys(identities, Likeness(0.95, 0.4))
    return model


class ColorEncoder:
    """Stands in for an identity encoder: the direction of a face's mean colour from grey."""

    name, sha256, size = "color-1", "0" * 64, 48
    patch_from_canonical = geometry.patch_from_canonical(CropSpec(48, "face"))

    def embed(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert patches.dtype == np.uint8
        assert patches.shape[1:] == (self.size, self.size, 3)
        colors = patches.reshape(len(patches), -1, 3).mean(axis=1)
        directions = colors - colors.mean(axis=1, keepdims=True)
        return (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
