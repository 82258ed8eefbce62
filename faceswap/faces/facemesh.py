"""MediaPipe's face mesh (Kartynnik et al. 2019) as an ONNX file: 468 points by regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.graph import Graph
from faceswap.faces.session import Runner
from faceswap.faces.views import square_view
from faceswap.schemes import MESH468

_NUM_VALUES = 468 * 3
_SIDE, _BELOW_EYES = 3.9, 0.45
"""The square of MediaPipe's own crop (1.5 times the box of its detector) in inter-ocular distances, measured."""


def matches(graph: Graph) -> bool:
    """True for a file of this kind."""
    shape = graph.inputs[0].shape
    return len(shape) == 4 and 3 in (shape[1], shape[3]) and any(_is_mesh(slot.shape) for slot in graph.outputs)


def _is_mesh(shape: tuple[int | None, ...]) -> bool:
    sizes = [n for n in shape if n is not None]
    return bool(sizes) and (sizes[-1] == _NUM_VALUES or sizes[-2:] == [468, 3])


class FaceMesh:
    """A `Landmarker`."""

    scheme = MESH468

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str) -> None:
        shape = graph.inputs[0].shape
        self.name = name
        self.size = shape[2] or 192
        self.patch_from_canonical = square_view(self.size, _SIDE, _BELOW_EYES)
        self._has_channels_first = shape[1] == 3
        self._points = next(i for i, slot in enumerate(graph.outputs) if _is_mesh(slot.shape))
        # Some exports keep the network's second answer, the logit of "this is a face".
        self._flag = next((i for i, slot in enumerate(graph.outputs) if slot.last == 1), None)
        self._run = Runner(graph, name, threads, device)
        self._run.check((3, self.size, self.size) if self._has_channels_first else (self.size, self.size, 3))

    def landmarks(self, patches: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
        """See `Landmarker.landmarks`. Files without a face flag are always sure: 1.0."""
        batch = patches.astype(np.float32) / 255
        if self._has_channels_first:
            batch = batch.transpose(0, 3, 1, 2)
        return [self._decoded(outputs) for outputs in self._run(batch)]

    def _decoded(self, outputs: list[NDArray]) -> tuple[NDArray[np.float64], float]:
        points = outputs[self._points].reshape(468, 3)[:, :2].astype(np.float64)
        if self._flag is None:
            return points, 1.0
        logit = float(outputs[self._flag].reshape(-1)[0])
        return points, float(1 / (1 + np.exp(-logit)))
