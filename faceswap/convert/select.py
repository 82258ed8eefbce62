"""Which of the faces found are to be swapped."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from faceswap.faces.index import FaceIndex
from faceswap.types import Face


def main_tracks(index: FaceIndex) -> set[int]:
    """Return, for each shot, the track whose boxes fill most of the picture over time."""
    area: dict[tuple[int, int], float] = defaultdict(float)
    for face in index.faces:
        width, height = np.maximum(face.box[2:] - face.box[:2], 0)
        area[index.shot_of(face.frame), face.track] += width * height
    best: dict[int, tuple[float, int]] = {}
    for (shot, track), value in area.items():
        best[shot] = max(best.get(shot, (0.0, -1)), (value, track))
    return {track for _, track in best.values()}


def chosen_faces(index: FaceIndex, faces: str) -> tuple[dict[int, list[Face]], dict[str, int]]:
    """Return the faces to swap by frame, and how many were left out and why.

    Args:
        faces: "main" or "all".
    """
    wanted = main_tracks(index) if faces == "main" else None
    chosen: dict[int, list[Face]] = defaultdict(list)
    num_others = 0
    for face in index.faces:
        if wanted is None or face.track in wanted:
            chosen[face.frame].append(face)
        else:
            num_others += 1
    return dict(chosen), {"faces of other people": num_others} if num_others else {}
