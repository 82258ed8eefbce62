"""Small ONNX graphs with planted outputs, which stand in for networks whose files are not at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def graph_bytes(
    nodes: Sequence[Any], input_shape: Shape, outputs: Mapping[str, Shape], weights: Mapping[str, NDArray] | None = None
) -> bytes:
    """Return an ONNX file with one input "pictures"."""
    graph = helper.make_graph(
        list(nodes),
        "planted",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


def planted(
    outputs: Mapping[str, NDArray], input_shape: Shape = (1, 3, "h", "w"), shapes: Mapping[str, Shape] | None = None
) -> bytes:
    """Return an ONNX file that gives these outputs whatever it is shown.

    Args:
        shapes: what the file says of its outputs' shapes; default: the truth.
    """
    weights = {f"{name}_value": value.astype(np.float32) for name, value in outputs.items()}
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in outputs]
    said = {name: (shapes or {}).get(name, value.shape) for name, value in outputs.items()}
    return graph_bytes(nodes, input_shape, said, weights)


def pixel_reader(places: Sequence[tuple[int, int]], side: int, *, subtract_first: bool = False) -> bytes:
    """Return an encoder-like file: its vector is what it is shown at the (row, column) `places`, all channels of each.

    Args:
        subtract_first: the graph begins with (x - 127.5) / 128, as files from MXNet do.
    """
    flat = np.array([c * side * side + y * side + x for y, x in places for c in range(3)], dtype=np.int64)
    weights: dict[str, NDArray] = {"flat": flat, "shape": np.array([0, -1], dtype=np.int64)}
    nodes, last = [], "pictures"
    if subtract_first:
        weights |= {"mean": np.array([127.5], np.float32), "scale": np.array([1 / 128], np.float32)}
        nodes += [
            helper.make_node("Sub", [last, "mean"], ["centred"]),
            helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        ]
        last = "scaled"
    nodes += [
        helper.make_node("Reshape", [last, "shape"], ["rows"]),
        helper.make_node("Gather", ["rows", "flat"], ["vector"], axis=1),
    ]
    return graph_bytes(nodes, ("n", 3, side, side), {"vector": ("n", len(flat))}, weights)


def with_external_weights(data: bytes, *, inside_a_branch: bool = False) -> bytes:
    """Return the file with one tensor that points to another file."""
    model = onnx.load_from_string(data)
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "elsewhere")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret.bin"
    if inside_a_branch:
        constant = helper.make_node("Constant", [], ["inner"], value=tensor)
        branch = helper.make_graph(
            [constant], "branch", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, (4,))]
        )
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        model.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch))
    else:
        model.graph.initializer.append(tensor)
    return model.SerializeToString()


def write(path: Path, data: bytes) -> str:
    """Write a file; return its path as a name for `make_detector` and its kin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def scrfd_outputs(
    size: tuple[int, int], stride: int, row: int, column: int, anchor: int, *, has_points: bool = True
) -> dict[str, NDArray]:
    """Outputs of an SCRFD for a picture of `size` (h, w), with one face planted at one anchor of one stride.

    Its box reaches 1, 2, 3, 4 strides to the left, up, right, down; its points lie (i, -i) strides off.
    """
    result: dict[str, list[NDArray]] = {"score": [], "box": [], "points": []}
    for s in (8, 16, 32):
        rows, columns = size[0] // s, size[1] // s
        score, box, points = (np.zeros((rows * columns * 2, n)) for n in (1, 4, 10))
        if s == stride:
            i = (row * columns + column) * 2 + anchor
            score[i], box[i] = 0.8, (1, 2, 3, 4)
            points[i] = np.stack([np.arange(5), -np.arange(5)], axis=1).reshape(-1)
        for name, value in (("score", score), ("box", box), ("points", points)):
            result[name].append(value)
    kept = result if has_points else {k: v for k, v in result.items() if k != "points"}
    return {f"{name}{i}": value for name, values in kept.items() for i, value in enumerate(values)}


def restorer_file(
    path: Path,
    side: int | str = 128,
    *,
    lowest: float = -1.0,
    weight: tuple[str, int, Shape] | None = None,
    element: int = TensorProto.FLOAT,
    times: int = 1,
) -> str:
    """A network that makes its picture darker by a quarter, times a second input if it has one.

    Args:
        lowest: its answer is never less, as after a last layer that ends at -1 or 0. times: it enlarges.
    """
    dtype = helper.tensor_dtype_to_np_dtype(element)
    inputs = [helper.make_tensor_value_info("pictures", element, (1, 3, side, side))]
    weights: dict[str, NDArray] = {
        "quarter": np.array(0.25, dtype),
        "low": np.array(lowest, dtype),
        "high": np.array(1, dtype),
        "sizes": np.array([1, 1, times, times], np.float32),
        "one": np.array([1], np.int64),
    }
    nodes: list[Any] = []
    change = "quarter"
    if weight is not None:
        name, kind, shape = weight
        inputs.insert(0, helper.make_tensor_value_info(name, kind, shape))
        nodes += [
            helper.make_node("Cast", [name], ["same_type"], to=element),
            helper.make_node("Reshape", ["same_type", "one"], ["number"]),
            helper.make_node("Mul", ["quarter", "number"], ["change"]),
        ]
        change = "change"
    nodes += [
        helper.make_node("Sub", ["pictures", change], ["darker"]),
        helper.make_node("Clip", ["darker", "low", "high"], ["held"]),
        helper.make_node("Resize", ["held", "", "sizes"], ["restored"], mode="nearest"),
    ]
    large: Shape = (1, 3, side * times, side * times) if isinstance(side, int) else (1, 3, "H", "H")
    graph = helper.make_graph(
        nodes,
        "planted",
        inputs,
        [helper.make_tensor_value_info("restored", element, large)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return write(path, model.SerializeToString())
