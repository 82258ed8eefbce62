"""A loss by an identity encoder of the user's: the rebuilt face should be the same person to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap import geometry
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.schemes import FIVE, SCHEMES
from faceswap.train.onnx_graph import load_onnx
from faceswap.types import CropSpec

_SIDE = 112
_POINTS = ((38.7946, 52.1963), (74.0318, 52.0014), (56.5252, 72.2366), (42.0493, 92.8655), (71.2299, 92.7041))
"""Where eyes, nose and corners of the mouth lie in the pictures such encoders are trained on (Deng et al. 2019), px."""


class IdentityLoss:
    """1 - cosine of an encoder's vectors, for faces cut with a model's crop."""

    def __init__(self, encoder: nn.Module, crop: CropSpec, device: torch.device) -> None:
        self._encoder = encoder.to(device)
        for parameter in self._encoder.parameters():
            parameter.requires_grad_(False)
        to_encoder = geometry.fit_similarity(SCHEMES[FIVE].template, np.array(_POINTS))
        patch_from_encoder = geometry.compose(geometry.patch_from_canonical(crop), geometry.invert(to_encoder))
        line = torch.arange(_SIDE) + 0.5
        y, x = torch.meshgrid(line, line, indexing="ij")
        matrix = torch.as_tensor(patch_from_encoder, dtype=torch.float32)
        places = torch.stack([x, y], dim=-1) @ matrix[:, :2].T + matrix[:, 2]
        self._grid = (places / crop.size * 2 - 1)[None].to(device)

    def __call__(self, face: Tensor, truth: Tensor) -> Tensor:
        """Return a scalar; gradients reach `face`. Both (B, 3, S, S) RGB [0, 1]."""
        with torch.no_grad():
            wanted = self._vectors(truth)
        return 1 - functional.cosine_similarity(self._vectors(face), wanted, dim=1).mean()

    def _vectors(self, patches: Tensor) -> Tensor:
        grid = self._grid.expand(len(patches), -1, -1, -1)
        seen = functional.grid_sample(patches.float(), grid, padding_mode="border", align_corners=False)
        return self._encoder(seen * 2 - 1).flatten(1)


def load_identity_loss(path: Path, crop: CropSpec, device: torch.device) -> IdentityLoss:
    """Return the loss of an encoder file: RGB of 112 px in [-1, 1] in, one vector out.

    Raises:
        UsageError: no such file, or another kind. UnsupportedInputError: it cannot be loaded or is no such encoder.
    """
    if not path.is_file():
        raise UsageError(f"loss.encoder = {str(path)!r}: no such file")
    loaders = {".pt": _load_script, ".pt2": _load_export, ".onnx": load_onnx}
    if path.suffix not in loaders:
        raise UsageError(
            f"loss.encoder = {str(path)!r}: TorchScript (.pt), torch.export (.pt2) or ONNX (.onnx) is needed"
        )
    encoder = loaders[path.suffix](path)
    try:
        vectors = encoder.to(device)(torch.zeros(2, 3, _SIDE, _SIDE, device=device))
    except Exception as error:  # a stranger's network may fail in any way
        raise UnsupportedInputError(f"{path} does not take faces of {_SIDE} px ({_first_line(error)})") from error
    if not isinstance(vectors, Tensor) or len(vectors) != 2:
        raise UnsupportedInputError(f"{path} gives no vector for each face; an identity encoder is needed")
    return IdentityLoss(encoder, crop, device)


def _load_script(path: Path) -> nn.Module:
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as error:
        raise UnsupportedInputError(f"{path} is no TorchScript file ({_first_line(error)})") from error


def _load_export(path: Path) -> nn.Module:
    try:
        return torch.export.load(path).module()
    except Exception as error:
        raise UnsupportedInputError(f"{path} is no file of torch.export ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
