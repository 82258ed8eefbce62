"""The one way in which ONNX networks are started and run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UnsupportedInputError
from faceswap.faces.graph import Graph

if TYPE_CHECKING:
    import torch


def make_session(graph: bytes, threads: int, device: str) -> Any:
    """Return a session for an ONNX graph; CPU, or CUDA when onnxruntime has it.

    Args:
        threads: limit of its CPU threads. device: "auto", "cpu", "cuda" or "cuda:N".
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by onnxruntime when it is imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Spinning worker threads would take the second core from the decoder and the encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        number = device.partition(":")[2] or "0"
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": number}))
    return onnxruntime.InferenceSession(graph, options, providers=providers)


def run_bound(session: Any, inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Run a session on tensors where they lie: nothing is copied to or from the GPU, nor within the CPU's memory.

    Args:
        session: made for the device of the tensors. inputs: by name; float32, float16, uint8 or int64, all on one device.

    Returns:
        The outputs in the file's order, on that device, in memory of onnxruntime's that lives as long as they do.
    """
    import torch

    device = next(iter(inputs.values())).device
    binding, place = session.io_binding(), (device.type, device.index or 0)
    held = {name: tensor.contiguous() for name, tensor in inputs.items()}  # until it has run
    for name, tensor in held.items():
        kind = np.dtype(str(tensor.dtype).removeprefix("torch.")).type
        binding.bind_input(name, *place, kind, tuple(tensor.shape), tensor.data_ptr())
    for output in session.get_outputs():
        binding.bind_output(output.name, *place)
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()  # onnxruntime works on a stream of its own
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    return [_tensor_of(value) for value in binding.get_outputs()]


def _tensor_of(value: Any) -> torch.Tensor:
    """Return an onnxruntime value as a tensor, the same memory where this onnxruntime can share it."""
    import torch

    if hasattr(value, "__dlpack__"):
        return torch.from_dlpack(value)
    return torch.from_numpy(value.numpy())


class Runner:
    """A network run on batches; pictures go one by one where the file fixes a batch of one.

    Args:
        in_batches: False where the outputs of a batch could not be told apart.
        takes_numbers: the network may take single numbers beside the pictures.
    """

    def __init__(
        self,
        graph: Graph,
        what: str,
        threads: int,
        device: str,
        *,
        in_batches: bool = True,
        takes_numbers: bool = False,
    ) -> None:
        if len(graph.inputs) != 1 and not takes_numbers:
            raise UnsupportedInputError(
                f"{what} has {len(graph.inputs)} inputs where one was expected: {graph.shape_text}"
            )
        try:
            self._session = make_session(graph.data, threads, device)
        except Exception as error:  # onnxruntime's errors share no base that is public
            raise UnsupportedInputError(f"{what} cannot be run by onnxruntime: {error}") from error
        self._what = what
        self._input = graph.inputs[0].name
        self._in_batches = in_batches and graph.inputs[0].shape[0] is None

    def __call__(self, batch: NDArray, numbers: Mapping[str, NDArray] | None = None) -> list[list[NDArray]]:
        """Return the outputs of each picture.

        Args:
            batch: (B, ...) of the type and shape that the network takes.
            numbers: single numbers that it takes too, by the names of their inputs.

        Returns:
            For each picture its outputs in the file's order, each as an array without the batch axis (or with one of
            length 1 where pictures go one by one).
        """
        if not self._in_batches:
            return [self._run(batch[i : i + 1], numbers) for i in range(len(batch))]
        outputs = self._run(batch, numbers)
        return [[output[i] for output in outputs] for i in range(len(batch))]

    def tensors(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs of a whole batch, in the file's order, on the device of `batch` (the network's own).

        Raises:
            UnsupportedInputError: the file takes one picture at a time, or fails.
        """
        if len(batch) > 1 and not self._in_batches:
            raise UnsupportedInputError(f"{self._what} takes one picture at a time, not {len(batch)}")
        try:
            return run_bound(self._session, {self._input: batch})
        except Exception as error:  # as below
            raise UnsupportedInputError(f"{self._what} fails when it is run by onnxruntime: {error}") from error

    def check(self, shape: Sequence[int]) -> None:
        """Run once on a gray picture: a file that gives nothing sensible is found here and not in the middle of a clip.

        Half-precision files on devices that cannot hold their values are the usual case.
        """
        for output in self(np.full((1, *shape), 0.1, dtype=np.float32))[0]:
            if not np.isfinite(output).all():
                raise UnsupportedInputError(
                    f"{self._what} gives no finite numbers on this device; use --device cpu, or a float32 version of it"
                )

    def _run(self, batch: NDArray, numbers: Mapping[str, NDArray] | None = None) -> list[NDArray]:
        try:
            return self._session.run(None, {self._input: np.ascontiguousarray(batch), **(numbers or {})})
        except Exception as error:  # as above
            raise UnsupportedInputError(f"{self._what} fails when it is run by onnxruntime: {error}") from error
