"""Models as ONNX files: DFM, which other programs read, and a batched form of our own.

A DFM takes and gives pictures as (1, S, S, 3) BGR, everything of fixed size; its readers go by the names of inputs and
by the order of outputs. Ours takes batches of (B, 3, S, S) RGB. Both say in their metadata what they are.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faceswap import __version__, geometry
from faceswap.errors import ConsentError, FaceswapError, UsageError
from faceswap.files import write_atomic
from faceswap.models.network import SwapNetwork
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.consent_store import ConsentStore, latest_of
from faceswap.types import CropSpec

SUFFIXES = (".dfm", ".onnx")
_OPSET = 18
_IR_VERSION = 8
"""Of the file format: what onnxruntime 1.14 and later read with that opset."""
_MORPH = "morph"
_TOLERANCE = {False: 1e-3, True: 0.05}
"""Largest difference to torch, by whether it is stored in half precision: more means that the file is wrong."""
_DFM_CROP = CropSpec(1000, "whole_face", 0.0, "dfl-1")
_VISIBLE = 0.02
"""Share of the crop's side by which readers may cut elsewhere without a note."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how it compares."""

    path: Path
    bytes: int
    identity: str
    opset: int
    inputs: dict[str, tuple[int | str, ...]]
    outputs: dict[str, tuple[int | str, ...]]
    max_difference: float
    """Largest difference between the file's outputs (run by onnxruntime) and torch's, of values in [0, 1]."""
    notes: tuple[str, ...] = ()


class _Dfm(nn.Module):
    """What a DFM computes: mask of the target, face and mask of the identity."""

    def __init__(self, network: SwapNetwork, identity: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.identity, self.dtype = network, identity, dtype
        others = [i for i in range(network.num_identities) if i != identity]
        self.target = others[-1] if others else identity

    def forward(self, pictures: Tensor, morph: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        code = self.network.encode(pictures.permute(0, 3, 1, 2).flip(1).to(self.dtype))
        options = {} if morph is None else {"morph": morph}
        face, mask = self.network.decode(code, self.identity, **options)
        _, target_mask = self.network.decode(code, self.target)
        return target_mask.permute(0, 2, 3, 1), face.flip(1).permute(0, 2, 3, 1), mask.permute(0, 2, 3, 1)


class _Batched(nn.Module):
    """What our own form computes."""

    def __init__(self, network: SwapNetwork, identity: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.identity, self.dtype = network, identity, dtype

    def forward(self, patches: Tensor, morph: Tensor | None = None) -> tuple[Tensor, Tensor]:
        options = {} if morph is None else {"morph": morph}
        return self.network(patches.to(self.dtype), self.identity, **options)


def export_model(
    model: SwapModel, path: Path, *, to: str | None = None, fp16: bool = False, overwrite: bool = False
) -> ExportReport:
    """Write one identity of a model as an ONNX file, run it back and compare it with the model.

    Args:
        model: on the CPU in float32, so that the comparison means something.
        path: ends in .dfm or .onnx, which decides the form. to: the identity; None = the first.
        fp16: store weights and compute in half precision; what goes in and out stays float32.

    Raises:
        UsageError: another suffix, an unknown identity, a file that exists, no folder for it, or the extra `export` is not
            installed. ConsentError: the consent for this face was revoked.
        FaceswapError: the file does not give what the model gives; nothing is left behind.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path.name} is no name for an export; it ends in {' or '.join(SUFFIXES)}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; give another name or --overwrite")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for {path.name}; make it first")
    identity = to if to is not None else model.identities[0]
    _require_not_revoked(model, identity)
    number, is_dfm, size = model.index_of(identity), path.suffix == ".dfm", model.crop.size
    network = model.network_copy()
    dtype = torch.float16 if fp16 else torch.float32
    wrapper = (_Dfm if is_dfm else _Batched)(network.to(dtype), number, dtype).eval()
    shape = (1, size, size, 3) if is_dfm else (2, 3, size, size)
    example = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    morph = (torch.ones(1),) if network.has_morph else ()
    names = _names(is_dfm, network.has_morph)
    data = _with_facts(_to_onnx(wrapper, (example, *morph), names, is_dfm), facts_of(model, identity, is_dfm, fp16))
    reference = (_Dfm if is_dfm else _Batched)(model.network_copy(), number, torch.float32).eval()
    difference, inputs, outputs = _compared(data, reference, (example, *morph))
    if not difference <= _TOLERANCE[fp16]:
        raise FaceswapError(
            f"the exported {path.name} differs from the model by {difference:.3g}, allowed is {_TOLERANCE[fp16]:g}; "
            f"{'export without --fp16' if fp16 else 'please report it'}"
        )
    if is_dfm:
        require_dfm(inputs, outputs)
    write_atomic(path, data)
    notes = _crop_notes(model.crop) if is_dfm else ()
    return ExportReport(path, len(data), identity, _OPSET, inputs, outputs, difference, notes)


def _require_not_revoked(model: SwapModel, identity: str) -> None:
    """Refuse to hand on a face whose consent was revoked: nothing of ours asks for it in another program."""
    for record in model.consents.get(identity, ()):
        now = latest_of(record, ConsentStore.of_user().get(record.record_id))
        if now.revoked_at is not None:
            raise ConsentError(
                f"the face of {identity!r} cannot be exported: {now.record_id} was revoked on {now.revoked_at[:10]}"
            )


def _names(is_dfm: bool, has_morph: bool) -> tuple[list[str], list[str]]:
    if is_dfm:
        outputs = ["out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0"]
        return ["in_face:0", *(["morph_value:0"] if has_morph else [])], outputs
    return ["patches", *([_MORPH] if has_morph else [])], ["face", "mask"]


def facts_of(model: SwapModel, identity: str, is_dfm: bool, fp16: bool) -> dict[str, str]:
    """Return what a file says of itself, as texts."""
    crop = model.crop
    return {
        "faceswap": __version__,
        "format": "dfm" if is_dfm else "faceswap-1",
        "identity": identity,
        "identities": json.dumps(model.identities),
        "network": json.dumps(model.spec.network.model_dump(mode="json")),
        "face_type": crop.coverage,
        "crop": json.dumps({"coverage": crop.coverage, "margin": crop.margin, "template": crop.template}),
        "size": str(crop.size),
        "color_order": "BGR" if is_dfm else "RGB",
        "precision": "fp16" if fp16 else "fp32",
        "model_sha256": model.manifest_sha256,
        "consent_ids": json.dumps([record.record_id for record in model.consents.get(identity, ())]),
    }


def _to_onnx(wrapper: nn.Module, arguments: tuple[Tensor, ...], names: tuple[list[str], list[str]], fixed: bool) -> Any:
    try:
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise UsageError(
            "exporting needs the extra `export`; install it with: pip install 'faceswap[export]'"
        ) from error
    sizes: Any = None
    if not fixed:
        sizes = tuple({0: torch.export.Dim.DYNAMIC} if x.dim() > 1 else None for x in arguments)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            wrapper,
            arguments,
            dynamo=True,
            verbose=False,
            opset_version=_OPSET,
            input_names=names[0],
            output_names=names[1],
            dynamic_shapes=sizes,
        )
        assert program is not None
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's talk about packages that are not there to itself."""
    import warnings

    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _with_facts(graph: Any, facts: dict[str, str]) -> bytes:
    """Return the file of a graph that says what it is."""
    import onnx

    graph.ir_version = _IR_VERSION
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, facts)
    graph.producer_name, graph.producer_version = "faceswap", __version__
    _forget_sources(graph.graph)
    onnx.checker.check_model(graph)
    return graph.SerializeToString()


def _forget_sources(graph: Any) -> None:
    """Drop what the exporter notes about this machine's source files."""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]


def _compared(
    data: bytes, reference: nn.Module, arguments: tuple[Tensor, ...]
) -> tuple[float, dict[str, tuple[int | str, ...]], dict[str, tuple[int | str, ...]]]:
    """Return the largest difference, and the shapes that the file states."""
    from faceswap.faces.session import make_session

    session = make_session(data, 1, "cpu")
    inputs = {value.name: tuple(value.shape) for value in session.get_inputs()}
    outputs = {value.name: tuple(value.shape) for value in session.get_outputs()}
    found = session.run(None, {name: x.numpy() for name, x in zip(inputs, arguments, strict=True)})
    with torch.no_grad():
        expected = reference(*arguments)
    difference = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, expected, strict=True))
    return difference, inputs, outputs


def require_dfm(inputs: dict[str, tuple[int | str, ...]], outputs: dict[str, tuple[int | str, ...]]) -> None:
    """Check what the readers of DFM files go by: names, order, fixed sizes.

    Raises:
        FaceswapError: a reader would not take it.
    """
    size = next(iter(inputs.values()))[1]
    wanted_inputs: list[dict[str, tuple[int | str, ...]]] = [{"in_face:0": (1, size, size, 3)}]
    wanted_inputs.append({**wanted_inputs[0], "morph_value:0": (1,)})
    wanted = {
        "out_face_mask:0": (1, size, size, 1),
        "out_celeb_face:0": (1, size, size, 3),
        "out_celeb_face_mask:0": (1, size, size, 1),
    }
    if inputs not in wanted_inputs or list(outputs.items()) != list(wanted.items()) or not isinstance(size, int):
        raise FaceswapError(f"the file is no DFM that other programs read: inputs {inputs}, outputs {outputs}")


def _crop_notes(crop: CropSpec) -> tuple[str, ...]:
    ours = geometry.patch_from_canonical(CropSpec(_DFM_CROP.size, crop.coverage, crop.margin, crop.template))
    matrix = geometry.compose(ours, geometry.invert(geometry.patch_from_canonical(_DFM_CROP)))
    corners = np.array([[0.0, 0.0], [_DFM_CROP.size, _DFM_CROP.size]])
    off = float(np.abs(geometry.apply(matrix, corners) - corners).max()) / _DFM_CROP.size
    if off <= _VISIBLE:
        return ()
    return (
        f"other programs cut a whole face as DeepFaceLab does, whose edges lie up to {off:.0%} of the side from this model's "
        f"({crop.coverage}); train with crop.template='dfl-1' and coverage='whole_face' for a file that fits them",
    )
