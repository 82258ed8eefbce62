"""Swap networks by name."""

from __future__ import annotations

from collections.abc import Callable

from faceswap.errors import UsageError
from faceswap.models.amp import Amp
from faceswap.models.df import Df
from faceswap.models.hd import Hd
from faceswap.models.liae import Liae
from faceswap.models.network import SwapNetwork
from faceswap.models.original import Original
from faceswap.models.spec import NetworkSpec

NETWORKS: dict[str, Callable[[NetworkSpec, int], SwapNetwork]] = {
    "df": Df,
    "liae": Liae,
    "amp": Amp,
    "hd": Hd,
    "original": Original,
}


def build_network(spec: NetworkSpec, num_identities: int) -> SwapNetwork:
    """Return a freshly initialised network (uses torch's global random generator)."""
    if spec.name not in NETWORKS:
        raise UsageError(f"no network {spec.name!r}; there are: {', '.join(NETWORKS)}")
    return NETWORKS[spec.name](spec, num_identities)


def count_parameters(network: SwapNetwork) -> int:
    """Return the number of trainable values."""
    return sum(parameter.numel() for parameter in network.parameters())
