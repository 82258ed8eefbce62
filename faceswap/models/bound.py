"""ONNX files run on batches of tensors of any type and place, with errors that name the file."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from faceswap.errors import UnsupportedInputError
from faceswap.faces.session import make_session, run_bound

_TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16}


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
        self._types = {value.name: _TYPES[value.type] for value in self._session.get_inputs()}
        number = device.partition(":")[2] or "0"
        is_cuda = "CUDAExecutionProvider" in self._session.get_providers()
        self.device = torch.device(f"cuda:{number}" if is_cuda else "cpu")
        """Where inputs are wanted and outputs are given."""

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the outputs in the file's order, float32.

        Args:
            inputs: by name; of any type and on any device.

        Raises:
            UnsupportedInputError: the file fails.
        """
        try:
            given = {name: x.to(self.device, self._types[name]) for name, x in inputs.items()}
            return [x.float() for x in run_bound(self._session, given)]
        except Exception as error:  # as above
            raise UnsupportedInputError(f"{self._what} fails when it is run by onnxruntime: {error}") from error
