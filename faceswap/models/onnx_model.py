"""ONNX files that swap faces, as models: DFM, our own exports, and inswapper's kind.

`SwapModel.load` gives one of these for a file. They know one identity. What their graphs look like tells their kind;
what crop they want is said by our own metadata, or follows from the kind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.config import validated
from faceswap.device import Compute
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.graph import Graph, read_graph
from faceswap.models.bound import BoundSession
from faceswap.models.likeness import correlations
from faceswap.models.spec import CropSettings, NetworkSpec, SwapSpec
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.consent_store import ConsentStore
from faceswap.types import SwapOutput

_THREADS = 2
Shapes = tuple[tuple[int | None, ...], ...]


class OnnxModel(SwapModel):
    """A swap model whose network is an ONNX file; made by `load_onnx`."""

    def __init__(self, path: Path, data: bytes, graph: Graph, kind: Kind, compute: Compute) -> None:
        self._path, self._graph, self._kind = path, graph, kind
        self.spec = kind.spec(graph, path)
        self.compute, self.rejected, self.likeness = compute, (), {}
        self.consents = {name: _known_records(graph) for name in self.spec.identities}
        self.manifest_sha256 = hashlib.sha256(data).hexdigest()
        self._source: Tensor | None = None
        self._start()

    def _start(self) -> None:
        self._session = BoundSession(self._graph.data, str(self._path), _THREADS, str(self.compute.device))

    def __getstate__(self) -> dict[str, Any]:
        """Sessions cannot go to another process: it starts its own."""
        return {key: value for key, value in self.__dict__.items() if key != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        return f"OnnxModel({self._kind.name} {self.crop.size} px, {', '.join(self.identities)}, on {self.compute})"

    @property
    def wants_source(self) -> bool:
        """True for files that take the source's face as a vector, before they are given one."""
        return self._kind.takes_source and self._source is None

    def with_source(self, name: str, vector: NDArray[np.float32]) -> OnnxModel:
        """Return the model of a source, for files that hold no identity.

        Args:
            name: of the identity. vector: (D,) of length 1, by an encoder of the kind the file was trained with.

        Raises:
            UsageError: the file holds its identity, or the vector is of another length.
        """
        if not self._kind.takes_source:
            raise UsageError(
                f"{self._path} holds its identity ({', '.join(self.identities)}) and takes no source picture"
            )
        matrix = self._graph.last_matrix
        assert matrix is not None, "its kind has one"
        if vector.shape != (len(matrix),):
            raise UsageError(
                f"{self._path} wants vectors of {len(matrix)} numbers, the encoder gives {vector.size}; use the encoder "
                "it was trained with (w600k_r50 for inswapper_128)"
            )
        latent = vector.astype(np.float64) @ matrix
        latent /= max(float(np.linalg.norm(latent)), 1e-12)
        other = object.__new__(OnnxModel)
        other.__dict__.update(self.__dict__)
        other._source = torch.from_numpy(latent.astype(np.float32)[None])
        other.spec = self.spec.model_copy(update={"identities": (name,)})
        other.manifest_sha256 = hashlib.sha256(self.manifest_sha256.encode() + latent.tobytes()).hexdigest()
        return other

    @torch.inference_mode()
    def swap(self, patches: Tensor, *, to: str, morph: float = 1.0) -> SwapOutput:
        """See `SwapModel.swap`."""
        self.index_of(to)
        self._require_size(patches)
        self._require_morph(morph)
        if self.wants_source:
            raise UsageError(f"{self._path} swaps to the face of a picture; give it with --source and an --id-encoder")
        outputs = [
            self._kind.run(self._session, self._graph, part, morph, self._source) for part in self._parts(patches)
        ]
        masks = [output.mask for output in outputs if output.mask is not None]
        return SwapOutput(torch.cat([output.pixels for output in outputs]), torch.cat(masks) if masks else None)

    def _parts(self, patches: Tensor) -> list[Tensor]:
        """Faces one by one where the file takes one."""
        pictures = next(slot for slot in self._graph.inputs if len(slot.shape) == 4)
        return [patches] if pictures.shape[0] is None else list(patches.split(pictures.shape[0] or 1))

    @property
    def has_morph(self) -> bool:
        """True when `swap` listens to `morph`."""
        return any("morph" in slot.name for slot in self._graph.inputs)

    def rebuild_scores(self, patches: Tensor) -> Tensor:
        """See `SwapModel.rebuild_scores`; (B, 1)."""
        pixels = self.swap(patches, to=self.identities[0]).pixels
        return correlations(patches.to(pixels.device), [pixels], self.crop)


@dataclass(frozen=True, slots=True)
class Kind:
    """How files of a kind are recognised and run."""

    name: str
    matches: Callable[[Graph], bool]
    run: Callable[[BoundSession, Graph, Tensor, float, Tensor | None], SwapOutput]
    crop: CropSettings
    size: Callable[[Graph], int | None]
    looks_like: str
    takes_source: bool = False

    def spec(self, graph: Graph, path: Path) -> SwapSpec:
        """Return what is known of a file; our own metadata say more than its kind.

        Raises:
            UnsupportedInputError: its metadata are damaged, or its size is not fixed or out of range.
        """
        size = self.size(graph)
        try:
            said = graph.metadata.get("crop")
            crop = self.crop if said is None else validated(CropSettings, json.loads(said), f"{path}, metadata 'crop'")
            network = validated(NetworkSpec, {"name": self.name, "size": size}, str(path))
        except (ValueError, RecursionError, UsageError) as error:
            raise UnsupportedInputError(f"{path} cannot be used as a model: {error}") from error
        return SwapSpec(network=network, crop=crop, identities=(graph.metadata.get("identity") or path.stem,))


def load_onnx(path: Path, compute: Compute) -> OnnxModel:
    """Return the model in a file.

    Raises:
        UsageError: no such file. UnsupportedInputError: it is of no known kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the model {path}: {error.strerror}") from error
    graph = read_graph(data, str(path), takes_pictures_only=False)
    kind = next((kind for kind in KINDS if kind.matches(graph)), None)
    if kind is None:
        known = "; ".join(f"{kind.name} ({kind.looks_like})" for kind in KINDS)
        raise UnsupportedInputError(
            f"{path} is no swap model of a known kind; known: {known}; it has {graph.shape_text}"
        )
    return OnnxModel(path, data, graph, kind, compute)


def _known_records(graph: Graph) -> tuple[ConsentRecord, ...]:
    """Return the consent records that a file names and this machine knows: the file holds ids only, records are private."""
    try:
        ids = json.loads(graph.metadata.get("consent_ids", "[]"))
    except (ValueError, RecursionError):
        return ()
    store = ConsentStore.of_user()
    found = (store.get(name) for name in ids if isinstance(name, str)) if isinstance(ids, list) else ()
    return tuple(record for record in found if record is not None)


def _run_dfm(session: BoundSession, graph: Graph, patches: Tensor, morph: float, source: Tensor | None) -> SwapOutput:
    inputs = {graph.inputs[0].name: patches.flip(1).permute(0, 2, 3, 1)}
    if len(graph.inputs) == 2:
        inputs[graph.inputs[1].name] = torch.tensor([morph])
    _, face, mask = session.run(inputs)  # by position, as other readers do
    return SwapOutput(face.permute(0, 3, 1, 2).flip(1).clamp(0, 1), mask.permute(0, 3, 1, 2).clamp(0, 1))


def _run_ours(session: BoundSession, graph: Graph, patches: Tensor, morph: float, source: Tensor | None) -> SwapOutput:
    inputs = {"patches": patches, **({"morph": torch.tensor([morph])} if len(graph.inputs) == 2 else {})}
    return SwapOutput(*session.run(inputs)[:2])


def _run_inswapper(
    session: BoundSession, graph: Graph, patches: Tensor, morph: float, source: Tensor | None
) -> SwapOutput:
    assert source is not None, "asked for before"
    (face,) = session.run({"target": patches, "source": source.expand(len(patches), -1)})
    return SwapOutput(face.clamp(0, 1), None)


def _is_ours(graph: Graph) -> bool:
    return graph.metadata.get("format") == "faceswap-1" and graph.inputs[0].name == "patches"


def _is_dfm(graph: Graph) -> bool:
    first, *more = graph.inputs
    is_picture = len(first.shape) == 4 and first.last == 3 and first.shape[1] == first.shape[2]
    return is_picture and [s.last for s in graph.outputs] == [1, 3, 1] and all(len(s.shape) == 1 for s in more[:1])


def _is_inswapper(graph: Graph) -> bool:
    by_name = {slot.name: slot for slot in graph.inputs}
    matrix = graph.last_matrix
    return (
        set(by_name) == {"target", "source"}
        and len(by_name["target"].shape) == 4
        and len(graph.outputs) == 1
        and matrix is not None
        and by_name["source"].last == len(matrix)
    )


def _width_of_first(graph: Graph) -> int | None:
    return graph.inputs[0].last


def _height_of_first(graph: Graph) -> int | None:
    return graph.inputs[0].shape[1]


def _side_of_target(graph: Graph) -> int | None:
    return next(slot.last for slot in graph.inputs if slot.name == "target")


KINDS = (
    Kind(
        "faceswap-onnx",
        _is_ours,
        _run_ours,
        CropSettings(),
        _width_of_first,
        "made by `faceswap export`",
    ),
    Kind(
        "dfm",
        _is_dfm,
        _run_dfm,
        CropSettings(coverage="whole_face", template="dfl-1"),
        _height_of_first,
        "input (1,S,S,3), outputs mask, face, mask",
    ),
    Kind(
        "inswapper",
        _is_inswapper,
        _run_inswapper,
        CropSettings(coverage="face", template="arcface-1"),
        _side_of_target,
        "inputs target (1,3,S,S) and source (1,D), last weight (D,D)",
        takes_source=True,
    ),
)
