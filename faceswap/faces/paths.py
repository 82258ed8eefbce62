"""From a track's detections to its faces: aligned, smoothed, short gaps filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import Detection
from faceswap.faces.smooth import smooth_track
from faceswap.geometry import Similarity
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import Face, Matrix

MAX_GAP = 8
"""Analysed frames without a detection up to which a gap is filled; in longer ones the face is hidden, or away."""
_PIVOT = SCHEMES[FIVE].template.mean(axis=0)
"""The point of the template whose place is known best: errors of size and turn do not move it."""


def to_faces(frames: Sequence[int], detections: Sequence[Detection], number: int, step: int) -> list[Face]:
    """Return the faces of a track, in order; nothing is smoothed over a gap that is not filled.

    Args:
        frames: of the detections. step: distance of analysed frames; gaps are filled at multiples of it.
    """
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(frames)) if b - a > MAX_GAP * step]
    parts = pairwise([0, *breaks, len(frames)])
    return [face for i, k in parts for face in _part(frames[i:k], detections[i:k], number, step)]


def _part(frames: Sequence[int], detections: Sequence[Detection], number: int, step: int) -> list[Face]:
    aligned = [frame_from_canonical(d.landmarks, d.scheme) for d in detections]
    smoothed = smooth_track(
        # A track that is analysed at every n-th frame is as smooth as one of a slower clip.
        np.array(frames) // step,
        np.array([_parameters(matrix) for matrix in aligned]),
        np.array([d.score for d in detections]),
    )
    found = [
        Face(
            frame=frame,
            box=detection.box,
            score=detection.score,
            landmarks=detection.landmarks,
            scheme=detection.scheme,
            track=number,
            frame_from_canonical=_matrix(values),
        )
        for frame, detection, values in zip(frames, detections, smoothed, strict=True)
    ]
    return _with_gaps_filled(found, smoothed, step)


def _parameters(matrix: Matrix) -> Similarity:
    return geometry.to_similarity(geometry.compose(matrix, geometry.translation(*_PIVOT)))


def _matrix(parameters: NDArray) -> Matrix:
    return geometry.compose(geometry.from_similarity(Similarity(*parameters)), geometry.translation(*-_PIVOT))


def _with_gaps_filled(faces: list[Face], smoothed: NDArray, step: int) -> list[Face]:
    result = [faces[0]]
    for i, (before, after) in enumerate(pairwise(faces)):
        for frame in range(before.frame + step, after.frame, step):
            share = (frame - before.frame) / (after.frame - before.frame)
            result.append(
                replace(
                    before,
                    frame=frame,
                    box=before.box + share * (after.box - before.box),
                    landmarks=before.landmarks + share * (after.landmarks - before.landmarks),
                    score=min(before.score, after.score),
                    frame_from_canonical=_matrix(smoothed[i] + share * (smoothed[i + 1] - smoothed[i])),
                    is_interpolated=True,
                )
            )
        result.append(after)
    return result
