"""Weights from one network to another: of another model (warm start), or of the same at another size (progressive stages)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.errors import UsageError
from faceswap.models.network import SwapNetwork


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a network's tensors."""

    kept: int
    resized: int
    """Dense layers over pictures of another size."""
    reset: tuple[str, ...]
    """Parts of which at least one tensor begins anew."""

    def __str__(self) -> str:
        resized = f", {self.resized} resized" if self.resized else ""
        return f"{self.kept} tensors kept{resized}, new: {', '.join(self.reset) or 'none'}"


def parts_of(network: SwapNetwork, names: Sequence[str]) -> list[str]:
    """Return the parameters whose names begin with one of `names`.

    Raises:
        UsageError: a name that fits none.
    """
    known = [name for name, _ in network.named_parameters()]
    for name in names:
        if not any(_belongs(parameter, name) for parameter in known):
            parts = sorted({parameter.split(".")[0] for parameter in known})
            raise UsageError(
                f"the network has no part {name!r}; it has {', '.join(parts)} and parts of these, like {known[0]!r}"
            )
    return [parameter for parameter in known if any(_belongs(parameter, name) for name in names)]


def carry(network: SwapNetwork, old: Mapping[str, Tensor], reset: Sequence[str] = ()) -> Carried:
    """Fill a fresh network with another one's tensors, in place, as far as they fit.

    Dense layers that read or write a picture of another size are resized as the pictures are. Decoders of identities that
    the other network did not have start from its decoders in turn. Batches and sizes of everything else have to be equal.

    Args:
        reset: parts that stay as they are.
    """
    own = network.state_dict()
    kept = resized = 0
    fresh: set[str] = set()
    for name, value in own.items():
        part = name.split(".")[0]
        source = _source(name, old)
        if source is None or any(_belongs(name, r) for r in reset):
            fresh.add(part)
        elif source.shape == value.shape:
            value.copy_(source)
            kept += 1
        elif (fitted := _resized(network, name, source, value.shape)) is not None:
            value.copy_(fitted)
            resized += 1
        else:
            fresh.add(part)
    return Carried(kept, resized, tuple(sorted(fresh)))


def _belongs(parameter: str, part: str) -> bool:
    return parameter == part or parameter.startswith(part + ".")


def _source(name: str, old: Mapping[str, Tensor]) -> Tensor | None:
    if name in old or not name.startswith("decoders."):
        return old.get(name)
    _, number, rest = name.split(".", 2)
    count = len({key.split(".")[1] for key in old if key.startswith("decoders.")})
    return old.get(f"decoders.{int(number) % count}.{rest}") if count else None


def _resized(network: SwapNetwork, name: str, source: Tensor, shape: torch.Size) -> Tensor | None:
    """Return a dense layer's weight or bias for a picture of another size; None when it is no such layer."""
    module = network.get_submodule(name.rpartition(".")[0])
    owner = network.get_submodule(name.rpartition(".")[0].rpartition(".")[0])
    if not isinstance(module, nn.Linear):
        return None
    written = getattr(owner, "_shape", None)  # of a `Bottleneck`: what its last dense layer writes
    if written is not None and shape[0] == torch.Size(written).numel() and source.shape[1:] == shape[1:]:
        flat = source.reshape(written[0], -1, source[0].numel() if source.ndim > 1 else 1).permute(2, 0, 1)
        picture = _as_picture(flat)
        return None if picture is None else _scaled(picture, written[1]).permute(1, 2, 3, 0).reshape(shape)
    channels = _last_channels(network.encoder)
    if name.endswith("weight") and channels and not source.shape[1] % channels and source.shape[0] == shape[0]:
        picture = _as_picture(source.reshape(len(source), channels, -1))
        side = round((shape[1] / channels) ** 0.5)
        if picture is None or side * side * channels != shape[1]:
            return None
        # A sum over more pixels has to give the same.
        return (_scaled(picture, side) * (picture.shape[-1] / side) ** 2).reshape(shape)
    return None


def _last_channels(encoder: nn.Module) -> int | None:
    convolutions = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[-1].out_channels if convolutions else None


def _as_picture(flat: Tensor) -> Tensor | None:
    """(N, C, s²) -> (N, C, s, s); None when it is no square."""
    side = round(flat.shape[-1] ** 0.5)
    return flat.unflatten(-1, (side, side)) if side * side == flat.shape[-1] else None


def _scaled(picture: Tensor, side: int) -> Tensor:
    return functional.interpolate(picture, (side, side), mode="bilinear", align_corners=False, antialias=True)
