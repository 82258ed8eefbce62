"""ONNX files from anywhere: checked, folded, and described by what goes in and comes out.

A file is read into memory once; it may not point at other files, so that its SHA-256 stands for all of its weights. Many
exporters list the weights among the graph's inputs, which keeps onnxruntime from folding them: that is mended here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UnsupportedInputError


@dataclass(frozen=True, slots=True)
class Slot:
    """One input or output of a graph."""

    name: str
    shape: tuple[int | None, ...]
    """None where the file leaves the size open; () where it says nothing at all, or for a single number."""
    dtype: str = "float32"
    """numpy's name of the type of its values."""

    @property
    def last(self) -> int | None:
        return self.shape[-1] if self.shape else None

    def __str__(self) -> str:
        return f"{self.name} ({', '.join('?' if n is None else str(n) for n in self.shape)})"


@dataclass(frozen=True, slots=True)
class Graph:
    """A network as it is handed to onnxruntime."""

    data: bytes = field(repr=False)
    sha256: str
    """Of the file it was read from."""
    inputs: tuple[Slot, ...]
    """Pictures first; some networks take single numbers beside them."""
    outputs: tuple[Slot, ...]
    is_normalising: bool = False
    """The graph itself subtracts and scales first (converters from MXNet leave that in): it takes values 0 to 255."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself."""
    last_matrix: NDArray[np.float32] | None = field(default=None, repr=False)
    """The last of its stored weights, where that is a square matrix (inswapper's kind keeps its `emap` there)."""

    @property
    def shape_text(self) -> str:
        """What a message can say of an unknown file."""
        return f"inputs {', '.join(map(str, self.inputs))}; outputs {', '.join(map(str, self.outputs))}"


def read_graph(
    data: bytes, what: str, *, is_fully_convolutional: bool = False, takes_pictures_only: bool = True
) -> Graph:
    """Return a checked graph.

    Args:
        data: the bytes of the file. what: names it in messages.
        is_fully_convolutional: the file states one size of picture and batch, but its nodes take any; they are set free.
        takes_pictures_only: False where more than pictures and single numbers may go in.

    Raises:
        UnsupportedInputError: not an ONNX graph, one that keeps weights in other files, or takes anything but pictures.
    """
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's errors share no base that is public
        raise UnsupportedInputError(f"{what} is not an ONNX file, or it is cut off: {error}") from error
    graph = model.graph
    if not graph.node or not graph.output:
        raise UnsupportedInputError(f"{what} is not an ONNX file: it holds no graph")
    for tensor in _tensors_of(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise UnsupportedInputError(
                f"{what} keeps weights in other files ({tensor.name!r}), which is not allowed; "
                "store it as one file: onnx.save(onnx.load(PATH), NEW_PATH)"
            )
    initialised = {tensor.name for tensor in graph.initializer}
    inputs = sorted((value for value in graph.input if value.name not in initialised), key=_is_number)
    del graph.input[:]
    graph.input.extend(inputs)
    are_pictures = bool(inputs) and len(inputs[0].type.tensor_type.shape.dim) == 4 and all(map(_is_number, inputs[1:]))
    if takes_pictures_only and not are_pictures:
        raise UnsupportedInputError(
            f"{what} does not take one batch of pictures: inputs {', '.join(v.name for v in inputs)}"
        )
    if is_fully_convolutional:
        _free_sizes(graph)
    elif any(not value.type.tensor_type.HasField("shape") for value in graph.output):
        model = onnx.shape_inference.infer_shapes(model)
        graph = model.graph
    return Graph(
        model.SerializeToString(),
        hashlib.sha256(data).hexdigest(),
        tuple(_slot(value) for value in graph.input),
        tuple(_slot(value) for value in graph.output),
        is_normalising=_begins_with_normalisation(graph),
        metadata={entry.key: entry.value for entry in model.metadata_props},
        last_matrix=_last_matrix(graph),
    )


def _last_matrix(graph: Any) -> NDArray[np.float32] | None:
    from onnx import numpy_helper

    last = graph.initializer[-1] if graph.initializer else None
    if last is None or len(last.dims) != 2 or last.dims[0] != last.dims[1]:
        return None
    return numpy_helper.to_array(last).astype(np.float32)


def _begins_with_normalisation(graph: Any) -> bool:
    """True when the first that happens to the pictures is that something is subtracted and the rest is scaled."""
    name, wanted = graph.input[0].name, [("Sub",), ("Mul", "Div")]
    for node in graph.node:  # sorted: a node comes after those that feed it
        if name not in node.input:
            continue
        if node.op_type in wanted[0]:
            wanted.pop(0)
            if not wanted:
                return True
        elif node.op_type not in ("Identity", "Cast"):
            return False
        name = node.output[0]
    return False


def _free_sizes(graph: Any) -> None:
    del graph.value_info[:]  # sizes in between, which would contradict
    for value in (*graph.input, *graph.output):
        batch, _, height, width = value.type.tensor_type.shape.dim
        batch.dim_param, height.dim_param, width.dim_param = "B", f"H_{value.name}", f"W_{value.name}"


def _is_number(value: Any) -> bool:
    """True for an input that is a single number."""
    kind = value.type.tensor_type
    return kind.HasField("shape") and len(kind.shape.dim) <= 1 and all(d.dim_value <= 1 for d in kind.shape.dim)


def _slot(value: Any) -> Slot:
    from onnx import helper

    kind = value.type.tensor_type
    sizes = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    return Slot(
        value.name, sizes, helper.tensor_dtype_to_np_dtype(kind.elem_type).name if kind.elem_type else "float32"
    )


def _tensors_of(model: Any) -> Iterator[Any]:
    """Every stored tensor, those inside of branches, loops and functions too."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _tensors_of_graph(graph)
