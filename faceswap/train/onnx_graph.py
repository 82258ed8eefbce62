"""ONNX networks as PyTorch modules that gradients pass through: those made of the usual layers of identity encoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.errors import UnsupportedInputError

Attributes = dict[str, Any]


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    x = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(x, weight, bias, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def _pool(a: Attributes, x: Tensor) -> Tensor:
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    x = functional.pad(x, (left, right, top, bottom), value=float("-inf"))
    return functional.max_pool2d(x, a["kernel_shape"], a.get("strides"))


def _norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return functional.batch_norm(x, mean, variance, scale, bias, eps=a.get("epsilon", 1e-5))


def _gemm(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    x, weight = (x.T if a.get("transA") else x), (weight.T if a.get("transB") else weight)
    product = a.get("alpha", 1.0) * (x @ weight)
    return product if bias is None else product + a.get("beta", 1.0) * bias


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": lambda a, x: functional.avg_pool2d(x, a["kernel_shape"], a.get("strides")),
    "BatchNormalization": _norm,
    "Clip": lambda a, x, low=None, high=None: x.clamp(low, high),
    "Concat": lambda a, *x: torch.cat(x, dim=a["axis"]),
    "Conv": _conv,
    "Div": lambda a, x, y: x / y,
    "Dropout": lambda a, x, *_: x,
    "Flatten": lambda a, x: x.flatten(1),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, x: x.mean(dim=(2, 3), keepdim=True),
    "Identity": lambda a, x: x,
    "LeakyRelu": lambda a, x: functional.leaky_relu(x, a.get("alpha", 0.01)),
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _pool,
    "Mul": lambda a, x, y: x * y,
    "PRelu": lambda a, x, slope: torch.where(x < 0, x * slope, x),
    "Relu": lambda a, x: functional.relu(x),
    "Reshape": lambda a, x, shape: x.reshape([int(n) if n else x.shape[i] for i, n in enumerate(shape)]),
    "Sigmoid": lambda a, x: x.sigmoid(),
    "Sub": lambda a, x, y: x - y,
}


class OnnxModule(nn.Module):
    """Runs a graph of one input and gives its first output."""

    def __init__(self, model: Any) -> None:
        from onnx import helper, numpy_helper

        super().__init__()
        graph = model.graph
        self._constants = {}
        for number, tensor in enumerate(graph.initializer):
            array = np.array(numpy_helper.to_array(tensor))
            value = torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)
            self.register_buffer(f"constant_{number}", value)
            self._constants[tensor.name] = f"constant_{number}"
        (self._input,) = (value.name for value in graph.input if value.name not in self._constants)
        self._output = graph.output[0].name
        self._nodes = [
            (node.op_type, {a.name: helper.get_attribute_value(a) for a in node.attribute}, node.input, node.output[0])
            for node in graph.node
        ]

    def forward(self, x: Tensor) -> Tensor:
        values: dict[str, Any] = {name: getattr(self, place) for name, place in self._constants.items()}
        values |= {self._input: x, "": None}
        for kind, attributes, inputs, output in self._nodes:
            values[output] = _OPERATORS[kind](attributes, *(values[name] for name in inputs))
        return values[self._output]


def load_onnx(path: Path) -> OnnxModule:
    """Return an ONNX file as a module.

    Raises:
        UnsupportedInputError: it cannot be read, or has layers without gradients here; names them.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # onnx raises errors of protobuf, which is not ours to name
        raise UnsupportedInputError(f"{path} cannot be read as ONNX ({type(error).__name__})") from error
    unknown = sorted({node.op_type for node in model.graph.node} - set(_OPERATORS))
    if unknown:
        raise UnsupportedInputError(
            f"{path} cannot be a loss: no gradients pass through its layers {', '.join(unknown)} here; "
            "give the encoder as TorchScript (.pt) or torch.export (.pt2)"
        )
    return OnnxModule(model)
