"""From a name to the bytes of a network: known weights, the user's store, a file, or a file of an insightface pack."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.graph import Graph, read_graph
from faceswap.faces.kinds import KINDS, AnyKind, Role
from faceswap.store import WeightsStore
from faceswap.weights import read_weights, weights_registry

_PACK_FOLDER = Path("~/.insightface/models")
_PACK_HINTS = {"detector": ("det_", "scrfd"), "landmarker": ("2d106",), "encoder": ("w600k", "glint", "arcface", "mbf")}
"""How insightface's packs begin the names of their files; files named otherwise are looked at later."""


@dataclass(frozen=True)
class NetworkFile:
    """The bytes behind a name."""

    name: str
    data: bytes
    is_embedded: bool = False

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def graph(self) -> Graph:
        """The ONNX graph in it.

        Raises:
            UnsupportedInputError: it is none.
        """
        return read_graph(self.data, self.name)

    def versioned(self, kind: str) -> str:
        """Return what is stored beside results: what read the file, and which file it was."""
        return kind if self.is_embedded else f"{kind}-{self.sha256[:8]}"


def find_network(name: str, role: Role) -> NetworkFile:
    """Return the file that `name` stands for.

    Args:
        name: of known or stored weights, the path of a file, the name or folder of an insightface pack.

    Raises:
        UsageError: nothing of that name, or known weights that are not here.
        UnsupportedInputError: a pack without a file for that role.
    """
    known = weights_registry()
    store = WeightsStore.of_user()
    if name in known or store.get(name) is not None:
        return NetworkFile(name, read_weights(name, store), name in known and known[name].is_embedded)
    path = Path(name).expanduser()
    if path.is_file():
        return NetworkFile(name, path.read_bytes())
    pack = path if path.is_dir() else _PACK_FOLDER.expanduser() / name
    if name and pack.is_dir():
        return _from_pack(pack, role)
    if path.suffix or os.sep in name:
        raise UsageError(f"{name}: no such file")
    names = [n for n, entry in known.items() if entry.role == role]
    names += [n for n, stored in store.entries().items() if stored.role == role and n not in known]
    raise UsageError(
        f"no {role} {name!r}; there are: {', '.join(names)}, the path of an ONNX file, or an insightface pack in {_PACK_FOLDER}"
    )


def kind_of(graph: Graph, role: Role) -> AnyKind | None:
    """Return the kind of file for a role that a graph is; None when it is of no known kind."""
    if role == "detector" and graph.inputs[0].shape[1] not in (3, None):
        return None
    return next((kind for kind in KINDS[role] if kind.matches(graph)), None)


def known_kind(found: NetworkFile, role: Role) -> AnyKind:
    """Return the kind of a file.

    Raises:
        UnsupportedInputError: it is of no known kind; the message names the known ones.
    """
    kind = kind_of(found.graph, role)
    if kind is None:
        known = "; ".join(f"{kind.name} ({kind.looks_like})" for kind in KINDS[role])
        raise UnsupportedInputError(
            f"{found.name} is no {role} of a known kind; known: {known}; it has {found.graph.shape_text}"
        )
    return kind


def recognise(found: NetworkFile) -> tuple[Role, str] | None:
    """Return the role and the kind of any file; None when it is of no known kind."""
    for role in KINDS:
        kind = kind_of(found.graph, role)
        if kind is not None:
            return role, kind.name
    return None


def _from_pack(folder: Path, role: Role) -> NetworkFile:
    for path in _in_order(folder, role):
        found = NetworkFile(str(path), path.read_bytes())
        if kind_of(found.graph, role) is not None:
            return found
    raise UnsupportedInputError(
        f"the pack {folder} holds no {role}; it has: {', '.join(sorted(_names(folder))) or 'nothing'}"
    )


def _in_order(folder: Path, role: Role) -> Iterator[Path]:
    """Files of a pack: those named as is usual for a role first, then from small to large."""
    hints = _PACK_HINTS[role]
    files = [path for path in folder.glob("*.onnx") if path.is_file()]
    yield from sorted(files, key=lambda path: (not path.name.startswith(hints), path.stat().st_size, path.name))


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.onnx")]
