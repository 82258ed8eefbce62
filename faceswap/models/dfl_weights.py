"""Weights of DeepFaceLab's SAEHD and AMP models as ours.

A model is a folder of `.npy` files, pickled dicts of arrays, beside a `.dat` with its options. What differs from ours:
kernels are (height, width, in, out) and dense weights (in, out); pictures are BGR; doubling takes the channels as (dy, dx,
channel), ours as (channel, dy, dx); and the four convolutions before the last doubling, one of them with a 1x1 kernel, are
one of ours. What does not, though it looks so: halving is padded by two on every side, not as TensorFlow's "SAME"; and
flattened features are ordered (channel, row, column) even where the rest is (row, column, channel).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.models.spec import CropSettings, NetworkSpec
from faceswap.pickles.machine import read_pickle
from faceswap.pickles.values import PickledArray

_MAX_BYTES = 4 << 30
_PARTS = {
    "df": ("encoder", "inter", "decoder_src", "decoder_dst"),
    "liae": ("encoder", "inter_AB", "inter_B", "decoder"),
    "amp": ("encoder", "inter_src", "inter_dst", "decoder"),
}
_COVERAGES = {"wf": "whole_face", "f": "face"}
_LETTERS_IN_WEIGHTS = "dt"
"""Options that the weights themselves show; u and c leave no trace in them."""

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class DflModel:
    """A model of DeepFaceLab's, read."""

    name: str
    network: NetworkSpec
    crop: CropSettings
    iterations: int
    """How long it was trained, as far as it says."""
    weights: dict[str, torch.Tensor]
    """By our names, float32; two identities: its source, its destination."""


def read_dfl_model(
    folder: Path, *, name: str | None = None, options: str | None = None, face_type: str | None = None
) -> DflModel:
    """Read the model in a folder.

    Args:
        name: what its files begin with, where the folder holds several. options: letters u, d, t, c; None = as its .dat
            says. face_type: "wf" or "f"; None = as its .dat says.

    Raises:
        UsageError: no model there, several, or something that has to be said. UnsupportedInputError: damaged or unknown
            files.
    """
    prefix = _prefix(folder, name)
    kind, parts = _parts(folder, prefix)
    said = _said(folder / f"{prefix}data.dat")
    network = _network(kind, parts, _options(kind, parts, said, options))
    coverage = _COVERAGES.get(face_type or str(said.get("face_type", "")))
    if coverage is None:
        raise UsageError(
            f"{prefix.rstrip('_')} has the face type {face_type or said.get('face_type', 'unknown')!r}; those of "
            f"{', '.join(_COVERAGES)} can be imported, --face-type says it where the .dat is missing"
        )
    try:
        weights = _converted(kind, parts, network)
    except (KeyError, ValueError) as error:
        raise UnsupportedInputError(f"{prefix.rstrip('_')} is no {kind} of DeepFaceLab's: {error}") from error
    crop = CropSettings.model_validate({"coverage": coverage, "template": "dfl-1"})
    return DflModel(prefix.rstrip("_"), network, crop, int(said.get("iter", 0)), weights)


def _prefix(folder: Path, name: str | None) -> str:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give the one with the .npy files of a DeepFaceLab model")
    found = sorted(path.name.removesuffix("encoder.npy") for path in folder.glob("*encoder.npy"))
    chosen = [prefix for prefix in found if name is None or prefix.rstrip("_") == name]
    if len(chosen) == 1:
        return chosen[0]
    if not found:
        raise UsageError(
            f"{folder} holds no model of DeepFaceLab's: there is no file named like new_SAEHD_encoder.npy in it"
        )
    names = ", ".join(prefix.rstrip("_") for prefix in found)
    raise UsageError(f"{folder} holds these models of DeepFaceLab's: {names}; choose one with --name")


def _parts(folder: Path, prefix: str) -> tuple[str, dict[str, Weights]]:
    for kind, names in _PARTS.items():
        paths = {part: folder / f"{prefix}{part}.npy" for part in names}
        if all(path.is_file() for path in paths.values()):
            return kind, {part: _read_weights(path) for part, path in paths.items()}
    wanted = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in _PARTS.items())
    raise UnsupportedInputError(f"{folder} lacks files of {prefix.rstrip('_')}; each kind has its own ({wanted})")


def _read_weights(path: Path) -> Weights:
    content = read_pickle(path.read_bytes(), str(path), limit=_MAX_BYTES)
    if not isinstance(content, dict):
        raise UnsupportedInputError(f"{path} is no file of DeepFaceLab's weights: it holds no dict")
    weights = {}
    for key, value in content.items():
        array = value.value if isinstance(value, PickledArray) else None
        if not isinstance(key, str) or array is None or array.dtype.kind != "f":
            raise UnsupportedInputError(f"{path} is no file of DeepFaceLab's weights: {str(key)[:40]!r} is no array")
        weights[key.removesuffix(":0")] = array.astype(np.float32)
    return weights


def _said(path: Path) -> dict[str, Any]:
    """What the .dat says; nothing where it is missing."""
    if not path.is_file():
        return {}
    content = read_pickle(path.read_bytes(), str(path), limit=_MAX_BYTES)
    if not isinstance(content, dict) or not isinstance(content.get("options"), dict):
        raise UnsupportedInputError(f"{path} is no .dat of DeepFaceLab's: it holds no options")
    return {**content["options"], "iter": content.get("iter", 0)}


def _options(kind: str, parts: Mapping[str, Weights], said: Mapping[str, Any], given: str | None) -> str:
    if kind == "amp":
        return ""
    if given is None and "archi" not in said:
        raise UsageError(
            "the .dat of the model is missing, and its weights do not show the letters u and c: say --options ud"
        )
    letters = given if given is not None else str(said["archi"]).partition("-")[2]
    decoder = parts["decoder" if kind == "liae" else "decoder_src"]
    for letter, is_seen in (("d", "out_conv1/weight" in decoder), ("t", "down5/conv1/weight" in parts["encoder"])):
        if (letter in letters) is not is_seen:
            words = "show" if is_seen else "do not show"
            raise UsageError(f"the weights {words} the option {letter!r}, the options are {letters!r}; say --options")
    return letters


def _network(kind: str, parts: Mapping[str, Weights], options: str) -> NetworkSpec:
    try:
        encoder, decoder = parts["encoder"], parts["decoder" if kind != "df" else "decoder_src"]
        first = encoder["down1/conv1/weight" if kind == "amp" or "t" in options else "down1/downs_0/conv1/weight"]
        inter = parts[_PARTS[kind][1]]
        dim = (encoder if kind == "amp" else inter)["dense1/weight"].shape[1]
        grown = inter["dense2/weight"].shape[1]
        channels = {"df": dim, "liae": 2 * dim, "amp": decoder["upscale0/conv1/weight"].shape[2]}[kind]
        side = round((grown / channels) ** 0.5)
        values = {
            "name": kind,
            "size": side * (32 if kind == "amp" or "d" in options else 16),
            "options": options,
            "encoder_dim": first.shape[3],
            "bottleneck_dim": dim,
            "decoder_dim": decoder["upscale0/conv1/weight"].shape[3] // 32,
            "mask_dim": decoder["upscalem0/conv1/weight"].shape[3] // 32,
            **({"morph_dim": channels} if kind == "amp" else {}),
        }
        return NetworkSpec.model_validate(values)
    except (KeyError, IndexError, ValueError) as error:
        raise UnsupportedInputError(f"the weights are no {kind} of DeepFaceLab's: {error}") from error


def _converted(kind: str, parts: Mapping[str, Weights], network: NetworkSpec) -> dict[str, torch.Tensor]:
    is_deep, is_doubled = kind == "amp" or "t" in network.options, kind == "amp" or "d" in network.options
    found = _encoder(parts["encoder"], is_deep)
    if kind == "df":
        found |= _bottleneck(parts["inter"], "bottleneck")
        for number, part in enumerate(("decoder_src", "decoder_dst")):
            found |= _decoder(parts[part], f"decoders.{number}", is_deep, is_doubled)
        return _tensors(found)
    if kind == "liae":
        found |= _bottleneck(parts["inter_AB"], "bottleneck.shared") | _bottleneck(parts["inter_B"], "bottleneck.own.0")
    else:
        found |= _dense(parts["encoder"], "dense1", "bottleneck.shrink")
        for number, part in enumerate(("inter_src", "inter_dst")):
            found |= _dense(parts[part], "dense2", f"bottleneck.grow.{number}")
    return _tensors(found | _decoder(parts["decoder"], "decoder", is_deep, is_doubled))


def _tensors(found: Mapping[str, NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()}


def _encoder(weights: Weights, is_deep: bool) -> dict[str, NDArray[np.float32]]:
    if not is_deep:
        theirs = [f"down1/downs_{i}" for i in range(4)]
    else:
        theirs = ["down1", "res1", "down2", "down3", "down4", "down5", "res5"]
    found: dict[str, NDArray[np.float32]] = {}
    for number, layer in enumerate(theirs):
        if layer.startswith("res"):
            found |= _residual(weights, layer, f"encoder.down.{number}")
        else:
            found |= _conv(weights, f"{layer}/conv1", f"encoder.down.{number}.conv")
    first = "encoder.down.0.conv.weight"
    return {**found, first: found[first][:, ::-1]}  # BGR


def _bottleneck(weights: Weights, ours: str) -> dict[str, NDArray[np.float32]]:
    found = _dense(weights, "dense1", f"{ours}.shrink") | _dense(weights, "dense2", f"{ours}.grow")
    return found | (_upscale(weights, "upscale1", f"{ours}.up") if "upscale1/conv1/weight" in weights else {})


def _decoder(weights: Weights, ours: str, is_deep: bool, is_doubled: bool) -> dict[str, NDArray[np.float32]]:
    steps = 4 if is_deep else 3
    found: dict[str, NDArray[np.float32]] = {}
    for i in range(steps):
        found |= _upscale(weights, f"upscale{i}", f"{ours}.up.{i}")
        found |= _residual(weights, f"res{i}", f"{ours}.residual.{i}")
    for i in range(steps + is_doubled):
        found |= _upscale(weights, f"upscalem{i}", f"{ours}.mask_up.{i}")
    found |= _conv(weights, "out_convm", f"{ours}.to_mask")
    names = ["out_conv", *([f"out_conv{i}" for i in (1, 2, 3)] if is_doubled else [])]
    convs = [_conv(weights, name, "") for name in names]
    # One picture after another for dy, dx, each BGR; ours: R, G, B, each for all dy, dx.
    kernels = np.stack([_padded(conv[".weight"])[::-1] for conv in convs], axis=1)
    biases = np.stack([conv[".bias"][::-1] for conv in convs], axis=1)
    found[f"{ours}.to_face.weight"] = kernels.reshape(-1, *kernels.shape[2:])
    found[f"{ours}.to_face.bias"] = biases.reshape(-1)
    return found


def _padded(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A 1x1 kernel as the middle of a 3x3 one."""
    return np.pad(kernel, ((0, 0), (0, 0), (1, 1), (1, 1))) if kernel.shape[-1] == 1 else kernel


def _conv(weights: Weights, theirs: str, ours: str) -> dict[str, NDArray[np.float32]]:
    return {
        f"{ours}.weight": weights[f"{theirs}/weight"].transpose(3, 2, 0, 1),
        f"{ours}.bias": weights[f"{theirs}/bias"].reshape(-1),
    }


def _upscale(weights: Weights, theirs: str, ours: str) -> dict[str, NDArray[np.float32]]:
    """(dy, dx, channel) -> (channel, dy, dx) in the channels that become pixels."""
    found = _conv(weights, f"{theirs}/conv1", f"{ours}.conv")
    return {
        name: value.reshape(4, -1, *value.shape[1:]).swapaxes(0, 1).reshape(value.shape)
        for name, value in found.items()
    }


def _residual(weights: Weights, theirs: str, ours: str) -> dict[str, NDArray[np.float32]]:
    return _conv(weights, f"{theirs}/conv1", f"{ours}.conv1") | _conv(weights, f"{theirs}/conv2", f"{ours}.conv2")


def _dense(weights: Weights, theirs: str, ours: str) -> dict[str, NDArray[np.float32]]:
    return {
        f"{ours}.weight": weights[f"{theirs}/weight"].T,
        f"{ours}.bias": weights[f"{theirs}/bias"].reshape(-1),
    }
