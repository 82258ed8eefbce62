"""Taking a file of weights into the user's store: what it is, and what is known about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.kinds import KINDS
from faceswap.faces.network_files import NetworkFile, recognise
from faceswap.store import StoredWeights, WeightsStore
from faceswap.weights import facts_of, known_by_hash, weights_registry


def add_weights(
    store: WeightsStore, file: Path, name: str | None = None, facts: Mapping[str, str] | None = None
) -> tuple[str, StoredWeights]:
    """Copy a file into the store; return its name and facts.

    Files that this version knows by their hash get the facts it has about them.

    Args:
        name: default: the known name, else the file's. facts: licence, commercial, source, as far as the user knows.

    Raises:
        UsageError: no such file, or the name is taken or means other weights.
        UnsupportedInputError: of no known kind.
    """
    try:
        found = NetworkFile(str(file), file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    known = known_by_hash(found.sha256)
    if known is not None and known[1].is_embedded:
        raise UsageError(f"{file} is {known[0]!r}, which is embedded; there is nothing to add")
    if known is not None:
        name = name or known[0]
        facts = facts_of(known[1])
    else:
        name = name or re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._") or "weights"
        facts = {**_recognised(found), **(facts or {})}
    registered = weights_registry().get(name)
    if registered is not None and registered.sha256 != found.sha256:
        raise UsageError(f"{name!r} is the name of other weights ({registered.what}); choose another one with --name")
    return name, store.add(name, found.data, file.suffix, facts)


def _recognised(found: NetworkFile) -> dict[str, str]:
    seen = recognise(found)
    if seen is None:
        known = "; ".join(f"{role}: " + ", ".join(kind.name for kind in kinds) for role, kinds in KINDS.items())
        raise UnsupportedInputError(f"{found.name} is of no known kind ({known}); it has {found.graph.shape_text}")
    role, kind = seen
    return {"role": role, "kind": kind}
