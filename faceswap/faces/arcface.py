"""Identity encoders of the ArcFace kind (Deng et al. 2019) as ONNX files: a face of 112 px in, one vector out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.graph import Graph
from faceswap.faces.session import Runner
from faceswap.schemes import FIVE, SCHEMES

_SIDE = 112
_POINTS = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the five points lie in the pictures such networks are trained on; integers = centres of pixels."""


def matches(graph: Graph) -> bool:
    """True for a file of this kind."""
    (first, *more) = graph.outputs
    sizes = [n for n in first.shape if n is not None and n != 1]
    is_vector = not more and len(sizes) == 1 and 32 <= sizes[0] <= 4096
    return is_vector and graph.inputs[0].shape[1:] == (3, _SIDE, _SIDE)


class ArcFace:
    """An `IdentityEncoder`."""

    size = _SIDE

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str) -> None:
        self.name = name
        self.sha256 = graph.sha256
        self.patch_from_canonical = geometry.fit_similarity(SCHEMES[FIVE].template, _POINTS + 0.5)
        self._is_raw = graph.is_normalising
        self._run = Runner(graph, name, threads, device)
        self._run.check((3, _SIDE, _SIDE))

    def embed(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `IdentityEncoder.embed`."""
        batch = patches.transpose(0, 3, 1, 2).astype(np.float32)
        if not self._is_raw:
            batch = batch / np.float32(127.5) - np.float32(1)
        vectors = np.stack([outputs[0].reshape(-1) for outputs in self._run(batch)]).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
