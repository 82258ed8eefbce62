"""A second look at each face: a landmark network on the aligned crop, if one was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceswap import geometry
from faceswap.faces.base import Detection, Landmarker
from faceswap.faces.pose import frame_from_network_view
from faceswap.faces.viewer import JITTER, Viewer
from faceswap.geometry import Similarity
from faceswap.types import Frame, Matrix

_BOX_SIDE = 2.2
"""Side of a face's box in inter-ocular distances, about."""


@dataclass(frozen=True, slots=True)
class Refiner:
    """Replaces a detector's points by a landmarker's."""

    landmarker: Landmarker
    viewer: Viewer
    repeats: int = 1
    """The points are the mean over so many crops, each placed a little differently."""

    def refined(self, frames: Sequence[Frame], found: Sequence[Sequence[Detection]]) -> list[list[Detection]]:
        """Return the same faces with points of the landmarker's scheme; all crops make one batch.

        Where the network is unsure, the score falls: smoothing trusts the place less.
        """
        faces = [(frame, d) for frame, of_frame in zip(frames, found, strict=True) for d in of_frame]
        if not faces:
            return [list(of_frame) for of_frame in found]
        size = (self.landmarker.size, self.landmarker.size)
        views = [
            self.viewer.render(frame, self._patch_from_frame(d, number), size)
            for frame, d in faces
            for number in range(self.repeats)
        ]
        answers = self.landmarker.landmarks(np.stack([view.pixels for view in views]))
        placed = [
            (geometry.apply(view.frame_from_view, points), sure)
            for view, (points, sure) in zip(views, answers, strict=True)
        ]
        groups = (placed[i : i + self.repeats] for i in range(0, len(placed), self.repeats))
        new = iter([self._replaced(d, group) for (_, d), group in zip(faces, groups, strict=True)])
        return [[next(new) for _ in of_frame] for of_frame in found]

    def _patch_from_frame(self, detection: Detection, number: int) -> Matrix:
        aligned = frame_from_network_view(detection.landmarks, detection.scheme)
        shaken = geometry.from_similarity(Similarity(*JITTER[number] * [1, 1, _BOX_SIDE, _BOX_SIDE]))
        return geometry.compose(
            self.landmarker.patch_from_canonical, geometry.invert(geometry.compose(aligned, shaken))
        )

    def _replaced(self, detection: Detection, answers: list) -> Detection:
        points = np.mean([points for points, _ in answers], axis=0)
        sure = float(np.mean([sure for _, sure in answers]))
        return replace(
            detection,
            landmarks=points,
            scheme=self.landmarker.scheme,
            score=float(detection.score * np.clip(sure, 0.1, 1)),
        )
