"""insightface's 106 points (`2d106det.onnx`) by regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.graph import Graph
from faceswap.faces.session import Runner
from faceswap.faces.views import square_view
from faceswap.schemes import INSIGHT106

_NUM_VALUES = 106 * 2
_SIDE, _BELOW_EYES = 4.6, 0.34
"""1.5 times the larger side of its detector's box, around the box's centre, in inter-ocular distances (measured)."""


def matches(graph: Graph) -> bool:
    """True for a file of this kind."""
    shape = graph.inputs[0].shape
    return len(shape) == 4 and shape[1] == 3 and [slot.last for slot in graph.outputs] == [_NUM_VALUES]


class Insight106:
    """A `Landmarker`. It does not say how sure it is: always 1.0."""

    scheme = INSIGHT106

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str) -> None:
        self.name = name
        self.size = graph.inputs[0].shape[3] or 192
        self.patch_from_canonical = square_view(self.size, _SIDE, _BELOW_EYES)
        self._is_raw = graph.is_normalising
        self._run = Runner(graph, name, threads, device)
        self._run.check((3, self.size, self.size))

    def landmarks(self, patches: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
        """See `Landmarker.landmarks`."""
        batch = patches.transpose(0, 3, 1, 2).astype(np.float32)
        if not self._is_raw:
            batch = (batch - np.float32(127.5)) / np.float32(128)
        return [(self._decoded(outputs[0]), 1.0) for outputs in self._run(batch)]

    def _decoded(self, values: NDArray) -> NDArray[np.float64]:
        # -1 to 1 over the picture, counted from the centre of its first pixel.
        return (values.reshape(106, 2).astype(np.float64) + 1) * (self.size / 2) + 0.5
