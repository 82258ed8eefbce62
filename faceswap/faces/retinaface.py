"""RetinaFace (Deng et al. 2020) in its common PyTorch form: boxes and points relative to priors of six sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import ShapeError
from faceswap.faces.detector import Candidates, DetectorKind, Size, cells
from faceswap.faces.graph import Graph

_PRIORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""(stride, sides of the squares on each cell), px."""
_PLACE, _SIZE = 0.1, 0.2
"""How far the network's values are scaled down (SSD's "variances")."""


def _matches(graph: Graph) -> bool:
    return sorted(slot.last or 0 for slot in graph.outputs) == [2, 4, 10]


def decode(outputs: list[NDArray], size: Size, min_score: float) -> Candidates:
    """Read the faces off one picture's (P, 4) boxes, (P, 2) scores and (P, 10) points, in any order."""
    by_width = {output.shape[-1]: output.reshape(-1, output.shape[-1]) for output in outputs}
    centres, sides = _priors(size)
    if len(by_width[2]) != len(centres):
        raise ShapeError(f"a detector gives {len(by_width[2])} boxes where RetinaFace's priors are {len(centres)}")
    scores = _shares(by_width[2])[:, 1]
    chosen = np.nonzero(scores > min_score)[0]
    centre, side, box = centres[chosen], sides[chosen], by_width[4][chosen]
    middle = centre + box[:, :2] * _PLACE * side
    half = side * np.exp(box[:, 2:] * _SIZE) / 2
    points = centre[:, None] + by_width[10][chosen].reshape(-1, 5, 2) * _PLACE * side[:, None]
    return Candidates(np.concatenate([middle - half, middle + half], axis=1), scores[chosen], points)


def _priors(size: Size) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (P, 2) centres and (P, 1) sides of the priors, px."""
    centres, sides = [], []
    for stride, of_cell in _PRIORS:
        grid = cells(-(-size[0] // stride), -(-size[1] // stride), stride) + stride / 2
        centres.append(np.repeat(grid, len(of_cell), axis=0))
        sides.append(np.tile(np.array(of_cell, dtype=np.float64), len(grid)))
    return np.concatenate(centres), np.concatenate(sides)[:, None]


def _shares(scores: NDArray) -> NDArray:
    """Return class scores as shares of one; some exports leave the last softmax away."""
    if np.abs(scores.sum(axis=1) - 1).max() < 1e-2 and scores.min() >= 0:
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


_POINT_SHIFT = np.array([[-0.008, 0.032], [0.008, 0.032], [0.0, -0.006], [0.024, 0.009], [-0.024, 0.009]])
"""Measured on frontal faces of 44 clips and pictures, under the alignment of MESH468, made symmetrical."""

RETINAFACE = DetectorKind(
    name="retinaface-1",
    looks_like="3 outputs of 4, 2, 10 values for each prior",
    matches=_matches,
    decode=decode,
    mean=(104.0, 117.0, 123.0),
    is_bgr=True,
    point_shift=_POINT_SHIFT,
)
