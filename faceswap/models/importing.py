"""Models of other programs as model folders of ours."""

from __future__ import annotations

from pathlib import Path

import torch

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.models.checkpoint import Checkpoint, has_checkpoint, save_checkpoint
from faceswap.models.dfl_weights import read_dfl_model
from faceswap.models.registry import build_network
from faceswap.models.spec import SwapSpec


def import_dfl_model(
    folder: Path,
    model: Path,
    identities: tuple[str, str],
    *,
    name: str | None = None,
    options: str | None = None,
    face_type: str | None = None,
) -> Checkpoint:
    """Write a DeepFaceLab model as a model folder, from which conversion, export and further training go on.

    Args:
        folder: with its .npy files. model: the new model folder. identities: names of its source and its destination.
        name, options, face_type: as for `read_dfl_model`.

    Raises:
        UsageError: the model folder has checkpoints, or something has to be said. UnsupportedInputError: unknown weights.
    """
    if has_checkpoint(model):
        raise UsageError(f"{model} holds a model already; give another folder")
    found = read_dfl_model(folder, name=name, options=options, face_type=face_type)
    spec = SwapSpec(network=found.network, crop=found.crop, identities=identities)
    with torch.device("meta"):
        expected = {key: value.shape for key, value in build_network(spec.network, 2).state_dict().items()}
    wrong = sorted(set(expected) ^ set(found.weights)) or [
        key for key, shape in expected.items() if found.weights[key].shape != shape
    ]
    if wrong:
        raise UnsupportedInputError(f"{found.name} does not fit {found.network.name}: {', '.join(wrong[:3])}")
    tensors = {
        "weights": found.weights,
        "ema": found.weights,
        "optimizer": {},
        "state": {"generator": torch.Generator().get_state()},
    }
    documents = {
        "spec": spec.model_dump(mode="json"),
        "train": {"imported": {"from": found.name, "iterations": found.iterations}},
        "progress": {"step": 0, "seconds": 0.0, "loss": 0.0},
    }
    return save_checkpoint(model, 0, tensors, documents)
