"""OpenSeeFace's landmark networks as ONNX files: 66 heat maps, and maps of the way from each cell to the point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.graph import Graph
from faceswap.faces.session import Runner
from faceswap.faces.views import square_view
from faceswap.schemes import LM66

_NUM_POINTS = 66
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_SIDE, _BELOW_EYES = 3.4, 0.45
"""What a patch shows, in inter-ocular distances: the crop the networks were trained on, measured."""
_LOGIT_FACTOR = 16.0
"""Maps hold sigmoid(16 times the offset in shares of the picture)."""


def matches(graph: Graph) -> bool:
    """True for a file of this kind."""
    (first, *more) = graph.outputs
    return not more and len(first.shape) == 4 and first.shape[1] == 3 * _NUM_POINTS


class Heatmap66:
    """A `Landmarker`."""

    scheme = LM66

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str) -> None:
        self.name = name
        self.size = graph.inputs[0].shape[3] or 224
        self.patch_from_canonical = square_view(self.size, _SIDE, _BELOW_EYES)
        self._run = Runner(graph, name, threads, device)
        self._run.check((3, self.size, self.size))

    def landmarks(self, patches: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
        """See `Landmarker.landmarks`; how sure it is = the mean height of the heat maps at their peaks."""
        batch = ((patches.astype(np.float32) / 255 - _MEAN) / _DEVIATION).transpose(0, 3, 1, 2)
        return [
            decoded(outputs[0].reshape(3 * _NUM_POINTS, *outputs[0].shape[-2:]), self.size)
            for outputs in self._run(batch)
        ]


def decoded(maps: NDArray, size: int) -> tuple[NDArray[np.float64], float]:
    """Return (66, 2) points in px of a square picture, and the mean peak.

    The first and last cell lie on the first and last pixel's centre: the network was trained with "align corners".

    Args:
        maps: (198, h, w): heat, offset along y, offset along x of the 66 points.
        size: side of the picture, px.
    """
    heat, offset_y, offset_x = maps.reshape(3, _NUM_POINTS, *maps.shape[1:])
    height, width = heat.shape[1:]
    peaks = heat.reshape(_NUM_POINTS, -1).argmax(axis=1)
    rows, columns = np.unravel_index(peaks, (height, width))
    each = np.arange(_NUM_POINTS)
    x = columns / (width - 1) + _logit(offset_x[each, rows, columns])
    y = rows / (height - 1) + _logit(offset_y[each, rows, columns])
    points = np.stack([x, y], axis=1) * (size - 1) + 0.5
    return points.astype(np.float64), float(np.clip(heat[each, rows, columns].mean(), 0, 1))


def _logit(share: NDArray) -> NDArray:
    clipped = np.clip(share.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(clipped / (1 - clipped)) / _LOGIT_FACTOR
