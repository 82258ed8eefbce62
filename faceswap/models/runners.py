"""Ways to run a swap network: the same weights and, within a stated tolerance, the same pictures, at different speeds.

A runner is named by its engine and its arithmetic, like "onnxruntime-fp32". Which one is quickest depends on network, batch and
machine: `probe` measures it.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from faceswap.device import Compute
from faceswap.errors import FaceswapError, UsageError
from faceswap.models.network import SwapNetwork

AUTO = "auto"
"""Asks for the quickest."""
PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}
ENGINES: dict[str, dict[str, tuple[str, ...]]] = {
    "cpu": {"torch": ("bf16", "fp32"), "onnxruntime": ("fp32",), "compile": ("bf16", "fp32")},
    "cuda": {"torch": ("bf16", "fp32"), "cuda-graph": ("bf16", "fp32"), "compile": ("bf16", "fp32")},
}
"""By kind of device: the engines and the arithmetics they know. "compile" takes up to a minute to start."""
MAX_DIFFERENCE = {"fp32": 1e-3, "bf16": 4e-2}
"""By arithmetic: how far a pixel [0, 1] may be from that of "torch-fp32"; 10 of 255 codes for bf16, in a few pixels."""


class Runner(Protocol):
    """Runs one network."""

    def __call__(self, patches: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """Return faces (B, 3, S, S) and masks (B, 1, S, S), float32 [0, 1].

        Args:
            patches: (B, 3, S, S) float32 RGB [0, 1], any device. identity: number of the decoder.
        """


NetworkIn = Callable[[torch.dtype], SwapNetwork]
"""Gives the network on its device with weights of a type."""


def runner_names(compute: Compute) -> tuple[str, ...]:
    """Return the names of all runners of a device."""
    engines = ENGINES[compute.device.type]
    return tuple(f"{engine}-{precision}" for engine, precisions in engines.items() for precision in precisions)


def usual_runner(compute: Compute) -> str:
    """Return the runner that is used where nothing was measured."""
    return f"torch-{'bf16' if compute.dtype is torch.bfloat16 else 'fp32'}"


def checked_runner(name: str, compute: Compute) -> str:
    """Return the full name of a runner; an engine's name alone means the device's usual arithmetic, or its only one.

    Raises:
        UsageError: there is no such runner on this device.
    """
    precisions = ENGINES[compute.device.type].get(name)
    if precisions is not None:
        usual = usual_runner(compute).partition("-")[2]
        return f"{name}-{usual if usual in precisions else precisions[0]}"
    if name not in runner_names(compute):
        allowed = ", ".join((AUTO, *ENGINES[compute.device.type], *runner_names(compute)))
        raise UsageError(f"no runner {name!r} on {compute.device.type}; there are: {allowed}")
    return name


def make_runner(name: str, network_in: NetworkIn, compute: Compute, size: int, batch: int) -> Runner:
    """Return a runner.

    Args:
        name: one of `runner_names`. size: side of the patches, px. batch: patches that usually come together.

    Raises:
        FaceswapError: it cannot be had here; the sentence says why.
    """
    engine, _, precision = name.rpartition("-")
    dtype = PRECISIONS[precision]
    if engine == "onnxruntime":
        from faceswap.models.onnx_runner import OnnxRunner

        return OnnxRunner(network_in(dtype), size, torch.get_num_threads())
    if engine == "cuda-graph":
        from faceswap.models.graph_runner import GraphRunner

        return GraphRunner(network_in(dtype), compute.device, dtype, size, batch)
    eager = TorchRunner(network_in(dtype), compute, dtype)
    return eager if engine == "torch" else CompiledRunner(eager, batch)


class TorchRunner:
    """PyTorch as it is."""

    def __init__(self, network: SwapNetwork, compute: Compute, dtype: torch.dtype) -> None:
        self.network, self._compute, self._dtype = network, compute, dtype

    def __call__(self, patches: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """See `Runner`."""
        face, mask = self.network(self._compute.placed(patches, self._dtype), identity)
        return face.float(), mask.float()


class CompiledRunner:
    """PyTorch's compiler; it knows one size of batch, for each size more would be compiled anew."""

    def __init__(self, eager: TorchRunner, batch: int) -> None:
        if importlib.util.find_spec("torch._inductor") is None:
            raise FaceswapError("this PyTorch has no compiler; use another --runner")
        # Weights become constants: the convolutions get them in their own order once and not in each pass.
        self._compiled = torch.compile(eager, dynamic=False, options={"freezing": True})
        self._batch = batch

    def __call__(self, patches: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """See `Runner`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return in_static_batches(patches, self._batch, lambda full: self._compiled(full, identity))
        except (torch.OutOfMemoryError, FaceswapError):
            raise
        except Exception as error:  # the compiler's errors share no base that is public
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise FaceswapError(
                f"PyTorch cannot compile this network here ({reason}); it needs a C++ compiler, or use --runner torch"
            ) from error


def in_static_batches(
    patches: Tensor, batch: int, run: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Run any number of patches through something that takes exactly `batch` of them; the last ones are padded with zeros."""
    faces, masks = [], []
    for part in patches.split(batch):
        missing = batch - len(part)
        full = part if not missing else torch.cat([part, part.new_zeros((missing, *part.shape[1:]))])
        face, mask = run(full)
        faces.append(face[: len(part)])
        masks.append(mask[: len(part)])
    return torch.cat(faces), torch.cat(masks)
