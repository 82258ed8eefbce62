"""SCRFD (Guo et al. 2021), the detector of insightface's packs: distances from anchors at strides 8, 16 and 32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import ShapeError
from faceswap.faces.detector import Candidates, DetectorKind, Size, cells
from faceswap.faces.graph import Graph
from faceswap.faces.mean_face import points_in_boxes

_STRIDES = (8, 16, 32)


def _matches_with_points(graph: Graph) -> bool:
    return sorted(slot.last or 0 for slot in graph.outputs) == [1] * 3 + [4] * 3 + [10] * 3


def _matches_boxes(graph: Graph) -> bool:
    return sorted(slot.last or 0 for slot in graph.outputs) == [1] * 3 + [4] * 3


def decode(outputs: list[NDArray], size: Size, min_score: float) -> Candidates:
    """Read the faces off one picture's scores, boxes and points (where there are any), at three strides each.

    A box is four distances from its anchor (left, up, right, down), a point a way from it, both in strides. Anchors lie on
    the corners of the cells, several on each.
    """
    by_width = {n: _from_fine_to_coarse(outputs, n) for n in (1, 4, 10)}
    boxes, scores, points = [], [], []
    for i, stride in enumerate(_STRIDES):
        score, distance = by_width[1][i][:, 0], by_width[4][i] * stride
        anchors = _anchors(size, stride, len(score))
        chosen = np.nonzero(score > min_score)[0]
        anchor, distance = anchors[chosen], distance[chosen]
        box = np.concatenate([anchor - distance[:, :2], anchor + distance[:, 2:]], axis=1)
        boxes.append(box)
        scores.append(score[chosen])
        if by_width[10]:
            points.append(anchor[:, None] + by_width[10][i][chosen].reshape(-1, 5, 2) * stride)
        else:
            points.append(points_in_boxes(box))
    return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points))


def _from_fine_to_coarse(outputs: list[NDArray], width: int) -> list[NDArray]:
    """Outputs of one width; exporters disagree in which order, so they are told apart by how many rows they have."""
    chosen = [output.reshape(-1, width) for output in outputs if output.shape[-1] == width]
    return sorted(chosen, key=len, reverse=True)


def _anchors(size: Size, stride: int, count: int) -> NDArray[np.float64]:
    grid = cells(-(-size[0] // stride), -(-size[1] // stride), stride)
    if count % len(grid):
        raise ShapeError(
            f"a detector gives {count} boxes at stride {stride} for {len(grid)} cells; is it an SCRFD file?"
        )
    return np.repeat(grid, count // len(grid), axis=0)


SCRFD = DetectorKind(
    name="scrfd-1",
    looks_like="9 outputs of 1, 4, 10 values at three strides each",
    matches=_matches_with_points,
    decode=decode,
    mean=(127.5, 127.5, 127.5),
    scale=1 / 128,
)

SCRFD_BOXES = DetectorKind(
    name="scrfd_boxes-1",
    looks_like="6 outputs of 1, 4 values at three strides each",
    matches=_matches_boxes,
    decode=decode,
    mean=(127.5, 127.5, 127.5),
    scale=1 / 128,
    is_boxes_only=True,
)
