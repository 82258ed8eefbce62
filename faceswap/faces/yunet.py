"""YuNet (Wu et al. 2023) as of 2023: class, object, box and points of each cell at strides 8, 16 and 32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.detector import Candidates, DetectorKind, Size, cells
from faceswap.faces.graph import Graph

_STRIDES = (8, 16, 32)


def _matches(graph: Graph) -> bool:
    return [slot.last for slot in graph.outputs] == [1] * 6 + [4] * 3 + [10] * 3


def decode(outputs: list[NDArray], size: Size, min_score: float) -> Candidates:
    """Read the faces off the twelve outputs of one picture: cls, obj, box, points, each at three strides.

    Places are counted from a cell's corner, in strides; sizes are logarithms of strides.
    """
    boxes, scores, points = [], [], []
    for i, stride in enumerate(_STRIDES):
        class_, object_, box, point = (outputs[i + 3 * k].reshape(-1, n) for k, n in enumerate((1, 1, 4, 10)))
        score = np.sqrt(np.clip(class_[:, 0], 0, 1) * np.clip(object_[:, 0], 0, 1))
        chosen = np.nonzero(score > min_score)[0]
        corner = cells(size[0] // stride, size[1] // stride, stride)[chosen]
        centre = corner + box[chosen, :2] * stride
        half = np.exp(box[chosen, 2:]) * stride / 2
        boxes.append(np.concatenate([centre - half, centre + half], axis=1))
        scores.append(score[chosen])
        points.append(corner[:, None] + point[chosen].reshape(-1, 5, 2) * stride)
    return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points))


_POINT_SHIFT = np.array([[0.005, 0.018], [-0.005, 0.018], [0.0, -0.035], [0.020, -0.001], [-0.020, -0.001]])
"""Measured on frontal faces of 44 clips and pictures, under the alignment of MESH468, made symmetrical."""

YUNET = DetectorKind(
    name="yunet-1",
    looks_like="12 outputs of 1, 1, 4, 10 values at three strides each",
    matches=_matches,
    decode=decode,
    is_bgr=True,
    point_shift=_POINT_SHIFT,
    min_score=0.6,
)
