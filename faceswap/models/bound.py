"""ONNX sessions that read and write torch's memory: nothing is copied on the way in or out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceswap.errors import UnsupportedInputError
from faceswap.faces.session import make_session

_TYPES: dict[str, tuple[torch.dtype, type[np.generic]]] = {
    "tensor(float)": (torch.float32, np.float32),
    "tensor(float16)": (torch.float16, np.float16),
}


class BoundSession:
    """A network run on batches of tensors.

    Args:
        data: the graph. what: names the file in messages.

    Raises:
        UnsupportedInputError: onnxruntime cannot run it, or it takes anything but floating-point numbers.
    """

    def __init__(self, data: bytes, what: str, threads: int, device: str) -> None:
        try:
            self._session = make_session(data, threads, device)
        except Exception as error:  # onnxruntime's errors share no base that is public
            raise UnsupportedInputError(f"{what} cannot be run by onnxruntime: {error}") from error
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        odd = [f"{value.name} ({value.type})" for value in values if value.type not in _TYPES]
        if odd:
            raise UnsupportedInputError(f"{what} takes or gives something else than pictures: {', '.join(odd)}")
        self._what = what
        self._types = {value.name: _TYPES[value.type] for value in values}
        self._outputs = [value.name for value in self._session.get_outputs()]
        number = device.partition(":")[2] or "0"
        is_cuda = "CUDAExecutionProvider" in self._session.get_providers()
        self.device = torch.device(f"cuda:{number}" if is_cuda else "cpu")
        """Where inputs are wanted and outputs are given."""

    def run(self, inputs: Mapping[str, Tensor], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Return the first outputs in the file's order, float32.

        Args:
            inputs: by name. shapes: of the outputs that are wanted.
        """
        binding: Any = self._session.io_binding()
        given = {name: x.to(self.device, self._types[name][0]).contiguous() for name, x in inputs.items()}
        found = [
            torch.empty(shape, dtype=self._types[name][0], device=self.device)
            for name, shape in zip(self._outputs, shapes, strict=False)
        ]
        place = self.device.type, self.device.index or 0
        for name, x in given.items():
            binding.bind_input(name, *place, self._types[name][1], tuple(x.shape), x.data_ptr())
        for name, x in zip(self._outputs, found, strict=False):
            binding.bind_output(name, *place, self._types[name][1], tuple(x.shape), x.data_ptr())
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()  # onnxruntime computes on a stream of its own
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # as above
            raise UnsupportedInputError(f"{self._what} fails when it is run by onnxruntime: {error}") from error
        return [x.float() for x in found]
