"""Small swap models in others' formats, with planted outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
DIM = 33


def write_graph(
    path: Path, inputs: dict[str, list], outputs: dict[str, list], nodes: list, weights: dict[str, NDArray]
) -> Path:
    def values(shapes: dict[str, list]) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "planted", values(inputs), values(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_dfm(
    path: Path, names: tuple[str, str, str] = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
) -> Path:
    """A DFM that halves blue, and whose masks are the red and the green channel."""
    node = helper.make_node
    nodes = [
        node("Mul", ["in_face:0", "half_of_blue"], [names[1]]),
        node("Split", ["in_face:0", "ones"], ["b", "g", "r"], axis=3),
        node("Identity", ["r"], [names[0]]),
        node("Identity", ["g"], [names[2]]),
    ]
    weights = {"half_of_blue": np.array([0.5, 1, 1], np.float32), "ones": np.array([1, 1, 1], np.int64)}
    shapes = {name: [1, SIZE, SIZE, channels] for name, channels in zip(names, (1, 3, 1), strict=True)}
    return write_graph(path, {"in_face:0": [1, SIZE, SIZE, 3]}, shapes, nodes, weights)


def write_inswapper(path: Path, emap: NDArray[np.float32]) -> Path:
    """A file of inswapper's kind whose output is 0.5 plus a tenth of what "source" holds at place 0, everywhere."""
    node = helper.make_node
    nodes = [
        node("Gather", ["source", "first"], ["value"], axis=1),
        node("Mul", ["value", "tenth"], ["small"]),
        node("Reshape", ["small", "shape"], ["spot"]),
        node("Mul", ["target", "zero"], ["nothing"]),
        node("Add", ["nothing", "spot"], ["moved"]),
        node("Add", ["moved", "grey"], ["output"]),
    ]
    weights = {
        "first": np.array([0], np.int64),
        "tenth": np.array([0.1], np.float32),
        "shape": np.array([1, 1, 1, 1], np.int64),
        "zero": np.array([0], np.float32),
        "grey": np.array([0.5], np.float32),
        "emap": emap,  # the last one, as in the real file
    }
    inputs = {"target": [1, 3, SIZE, SIZE], "source": [1, DIM]}
    return write_graph(path, inputs, {"output": [1, 3, SIZE, SIZE]}, nodes, weights)
