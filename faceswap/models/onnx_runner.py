"""A swap network run by onnxruntime; its graph is made in memory, one for each identity that is asked for."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from faceswap.errors import FaceswapError
from faceswap.faces.session import make_session, run_bound
from faceswap.models.network import SwapNetwork


class OnnxRunner:
    """onnxruntime on the CPU, float32."""

    def __init__(self, network: SwapNetwork, size: int, threads: int) -> None:
        """Prepare; sessions are made when an identity is first asked for.

        Args:
            network: float32 on the CPU. size: side of the patches, px. threads: limit of its CPU threads.
        """
        self._network, self._size, self._threads = network, size, threads
        self._sessions: dict[int, Any] = {}

    def __call__(self, patches: Tensor, identity: int) -> tuple[Tensor, Tensor]:
        """See `Runner`."""
        if identity not in self._sessions:
            graph = onnx_graph(self._network, identity, self._size)
            self._sessions[identity] = make_session(graph, self._threads, "cpu")
        face, mask = run_bound(self._sessions[identity], {"patches": patches.to("cpu", torch.float32)})
        return face, mask


class _Fixed(nn.Module):
    """The network with one identity."""

    def __init__(self, network: SwapNetwork, identity: int) -> None:
        super().__init__()
        self.network, self.identity = network, identity

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(patches, self.identity)


def onnx_graph(network: SwapNetwork, identity: int, size: int) -> bytes:
    """Return the ONNX file of a network and one identity; any batch: "patches" -> "face", "mask".

    Raises:
        FaceswapError: PyTorch cannot write it.
    """
    file = io.BytesIO()
    names = ["patches", "face", "mask"]
    try:
        # The older exporter: it needs nothing but `onnx` and takes a fraction of a second.
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Fixed(network, identity).eval(),
                (torch.zeros(2, 3, size, size),),
                file,  # type: ignore[arg-type]
                dynamo=False,
                input_names=names[:1],
                output_names=names[1:],
                dynamic_axes={name: {0: "batch"} for name in names},
            )
    except Exception as error:  # the exporter's errors share no base that is public
        raise FaceswapError(f"this network cannot be written as ONNX: {error}; use --runner torch") from error
    return file.getvalue()
