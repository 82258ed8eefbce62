"""Finding faces in runs of frames: whole pictures at key frames, small crops around the predicted place in between.

A crop shows the face larger than the whole picture does, so its points are finer, and it costs a tenth. Every frame's
points come from a crop; whole pictures only say which faces there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.base import Detection, Detector, non_maximum_suppression, overlap
from faceswap.faces.fields import UPPER
from faceswap.faces.views import Orientation, render_view, upright_from_frame
from faceswap.media.planes import field_of
from faceswap.types import FIVE, Frame, Matrix

_FULL_SIDE = 640
_CROP_SIDE = 160
_CROP_PER_FACE = 2.0
"""Side of the crop in sides of the face box: room for motion between key frames."""
_SAME_FACE = 0.3
_MAX_DUPLICATE = 0.4
_MIRRORED = {FIVE: [1, 0, 2, 4, 3]}
"""Order of each scheme's points in a mirrored picture."""


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """A detector together with how the clip's pictures are turned."""

    detector: Detector
    orientation: Orientation
    min_face_px: int
    is_interlaced: bool = False
    """Only the upper field is looked at: woven from two moments, a face is wider than it is, and torn."""

    def in_whole_frames(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return each frame's faces, found in the whole picture, refined in crops."""
        coarse = [self._in_whole_frame(frame) for frame in frames]
        return self.in_crops(frames, [[d.box for d in found] for found in coarse], fallback=False)

    def between(
        self, frames: Sequence[Frame], before: Sequence[Detection], after: Sequence[Detection]
    ) -> list[list[Detection]]:
        """Return the faces of the frames between two key frames whose faces are known."""
        starts, ends = _matched_boxes(before, after)
        shares = [(i + 1) / (len(frames) + 1) for i in range(len(frames))]
        predicted = [[a + share * (b - a) for a, b in zip(starts, ends, strict=True)] for share in shares]
        return self.in_crops(frames, predicted, fallback=True)

    def in_crops(
        self, frames: Sequence[Frame], boxes: Sequence[Sequence[NDArray]], *, fallback: bool
    ) -> list[list[Detection]]:
        """Return the faces found around the given boxes of each frame.

        Args:
            fallback: look at the whole picture when a box turns out empty.
        """
        places = [(i, box) for i, of_frame in enumerate(boxes) for box in of_frame]
        if not places:
            return [[] for _ in frames]
        matrices = [self._view_from_frame(frames[i], box) for i, box in places]
        size = (_CROP_SIDE, _CROP_SIDE)
        views = np.stack([self._render(frames[i], m, size) for (i, _), m in zip(places, matrices, strict=True)])
        found: list[list[Detection]] = [[] for _ in frames]
        lost: set[int] = set()
        for (i, box), matrix, in_view in zip(places, matrices, self.detector.detect(views), strict=True):
            candidates = [_moved(d, geometry.invert(matrix)) for d in in_view]
            best = max(candidates, key=lambda d: overlap(d.box, box), default=None)
            if best is not None and overlap(best.box, box) > 0:
                found[i].append(best)
            else:
                lost.add(i)
        if fallback and lost:
            chosen = sorted(lost)
            for i, again in zip(chosen, self.in_whole_frames([frames[i] for i in chosen]), strict=True):
                found[i].extend(again)
        return [self._cleaned(detections) for detections in found]

    def _in_whole_frame(self, frame: Frame) -> list[Detection]:
        upright, (height, width) = upright_from_frame(frame.size, self.orientation)
        scale = min(1.0, _FULL_SIDE / max(height, width))
        size = tuple(max(32, -(-round(n * scale) // 32) * 32) for n in (height, width))
        view_from_frame = geometry.compose(geometry.scaling(scale), upright)
        view = self._render(frame, view_from_frame, (size[0], size[1]))
        back = geometry.invert(view_from_frame)
        return self._cleaned([_moved(d, back) for d in self.detector.detect(view[None])[0]])

    def _render(self, frame: Frame, view_from_frame: Matrix, size: tuple[int, int]) -> NDArray[np.uint8]:
        if self.is_interlaced:
            frame = field_of(frame, UPPER)
            view_from_frame = geometry.compose(view_from_frame, geometry.frame_from_field(UPPER))
        return render_view(frame, view_from_frame, size)

    def _view_from_frame(self, frame: Frame, box: NDArray) -> Matrix:
        upright, _ = upright_from_frame(frame.size, self.orientation)
        low_high = geometry.apply(upright, box.reshape(2, 2))
        centre, side = low_high.mean(axis=0), np.abs(low_high[1] - low_high[0]).max() * _CROP_PER_FACE
        scale = _CROP_SIDE / side
        to_view = geometry.compose(geometry.scaling(scale), geometry.translation(*(side / 2 - centre)))
        return geometry.compose(to_view, upright)

    def _cleaned(self, detections: list[Detection]) -> list[Detection]:
        large = [d for d in detections if (d.box[2:] - d.box[:2]).max() >= self.min_face_px]
        if not large:
            return []
        keep = non_maximum_suppression(
            np.stack([d.box for d in large]), np.array([d.score for d in large]), _MAX_DUPLICATE
        )
        return [large[i] for i in keep]


def _moved(detection: Detection, matrix: Matrix) -> Detection:
    """Return the detection in the coordinates that `matrix` leads to; boxes stay upright rectangles."""
    corners = geometry.apply(matrix, detection.box.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    landmarks = geometry.apply(matrix, detection.landmarks)
    if np.linalg.det(matrix[:, :2]) < 0:  # stored mirrored: left and right change places
        landmarks = landmarks[_MIRRORED[detection.scheme]]
    return Detection(box, detection.score, landmarks, detection.scheme)


def _matched_boxes(before: Sequence[Detection], after: Sequence[Detection]) -> tuple[list[NDArray], list[NDArray]]:
    """Return start and end boxes of each face; a face seen at one end only is expected to stay where it was."""
    starts, ends, used = [], [], set()
    for a in before:
        scores = [(overlap(a.box, b.box), k) for k, b in enumerate(after) if k not in used]
        score, k = max(scores, default=(0.0, -1))
        starts.append(a.box)
        if score > _SAME_FACE:
            used.add(k)
            ends.append(after[k].box)
        else:
            ends.append(a.box)
    for k, b in enumerate(after):
        if k not in used:
            starts.append(b.box)
            ends.append(b.box)
    return starts, ends
