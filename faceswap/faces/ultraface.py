"""UltraFace (Linzaer's "Ultra-Light-Fast-Generic-Face-Detector-1MB"): boxes only, decoded inside the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.detector import Candidates, DetectorKind, Size
from faceswap.faces.graph import Graph
from faceswap.faces.mean_face import points_in_boxes


def _matches(graph: Graph) -> bool:
    return sorted(slot.last or 0 for slot in graph.outputs) == [2, 4]


def decode(outputs: list[NDArray], size: Size, min_score: float) -> Candidates:
    """Read the faces off one picture's (P, 2) scores and (P, 4) corners, which are shares of its sides, in any order."""
    by_width = {output.shape[-1]: output.reshape(-1, output.shape[-1]) for output in outputs}
    scores = by_width[2][:, 1]
    chosen = np.nonzero(scores > min_score)[0]
    boxes = by_width[4][chosen] * np.tile([size[1], size[0]], 2)
    return Candidates(boxes, scores[chosen], points_in_boxes(boxes))


ULTRAFACE = DetectorKind(
    name="ultraface-1",
    looks_like="2 outputs of 2, 4 values for each prior",
    matches=_matches,
    decode=decode,
    mean=(127.0, 127.0, 127.0),
    scale=1 / 128,
    min_score=0.7,
    is_boxes_only=True,
)
