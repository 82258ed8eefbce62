"""What all ONNX detectors have in common: pictures in, boxes and points out, in px of those pictures.

A kind of detector (CenterFace, YuNet ...) is a row: how to know its files, how to feed them, how to read their outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import Detection, group_by_face
from faceswap.faces.graph import Graph
from faceswap.faces.session import Runner

Size = tuple[int, int]
_SELF_TEST_SIZE = 64
_NO_VOTE = 0.9
"""Share of the lowest score at which a candidate's voice in the mean of its face's candidates would vanish."""


class Candidates(NamedTuple):
    """Faces as a network names them, before overlapping ones are dropped; px of the network's picture."""

    boxes: NDArray
    """(n, 4) x0, y0, x1, y1"""
    scores: NDArray
    """(n,) [0, 1]"""
    points: NDArray
    """(n, 5, 2)"""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorKind:
    """One kind of detector file."""

    name: str
    """With the version of its reading, stored in face indexes."""
    looks_like: str
    """Its outputs in a few words, for the message about files of no known kind."""
    matches: Callable[[Graph], bool]
    decode: Callable[[list[NDArray], Size, float], Candidates]
    """(outputs of one picture, (h, w) of the network's picture, lowest score) -> faces."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Taken off the channels, in the order in which the network takes them."""
    scale: float = 1.0
    """Then multiplied."""
    is_bgr: bool = False
    min_score: float = 0.5
    max_overlap: float = 0.4
    is_fully_convolutional: bool = False
    """Files state one size but take any."""
    point_shift: NDArray[np.float64] | None = None
    """(5, 2) added to its points, in inter-ocular distances along the face's own axes: what lies between its idea of an eye's
    or a nose's middle and that of the default detector, on which the template of FIVE was chosen."""
    is_boxes_only: bool = False
    """Its five points are those of a mean face in the box: enough to point a landmarker at, not to align by."""


class OnnxDetector:
    """A `Detector` of any kind."""

    def __init__(
        self, graph: Graph, kind: DetectorKind, name: str, *, threads: int, device: str, min_score: float | None = None
    ) -> None:
        self.name = name
        self.is_boxes_only = kind.is_boxes_only
        self.averages = True
        """False: a face's box and points are those of its best cell alone, as the network's authors read it; for comparisons."""
        self._kind = kind
        self._min_score = kind.min_score if min_score is None else min_score
        _, _, height, width = graph.inputs[0].shape
        self._size: Size | None = (height, width) if height and width else None
        # Outputs without an axis for the batch hold the faces of all its pictures in one heap.
        in_batches = all(len(slot.shape) > 2 and slot.shape[0] is None for slot in graph.outputs)
        self._run = Runner(graph, name, threads, device, in_batches=in_batches)
        self._run.check((3, *(self._size or (_SELF_TEST_SIZE, _SELF_TEST_SIZE))))

    def detect(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        """See `Detector.detect`."""
        size, placed = pictures.shape[1:3], self._size or pictures.shape[1:3]
        shown = placed if self._size is None else _fitted(size, self._size)
        batch = np.stack([_letterboxed(picture, shown, placed) for picture in pictures])
        picture_from_net = np.array([size[1] / shown[1], size[0] / shown[0]])
        found = [self._cleaned(outputs, placed, picture_from_net) for outputs in self._run(self._normalised(batch))]
        shift = self._kind.point_shift
        return found if shift is None else [[_shifted(face, shift) for face in faces] for faces in found]

    def _normalised(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._kind.is_bgr:
            batch = batch[..., ::-1]
        values = batch.transpose(0, 3, 1, 2).astype(np.float32)
        if any(self._kind.mean):
            values -= np.array(self._kind.mean, dtype=np.float32)[:, None, None]
        return values if self._kind.scale == 1.0 else values * np.float32(self._kind.scale)

    def _cleaned(self, outputs: list[NDArray], size: Size, picture_from_net: NDArray) -> list[Detection]:
        found = self._kind.decode(outputs, size, self._min_score)
        boxes = found.boxes.astype(np.float64) * np.tile(picture_from_net, 2)
        points = found.points.astype(np.float64) * picture_from_net
        faces = []
        for best, voters in group_by_face(boxes, found.scores, self._kind.max_overlap):
            voters = voters if self.averages else [best]
            weights = found.scores[voters].astype(np.float64) - _NO_VOTE * self._min_score
            weights /= weights.sum()
            voted_box, voted_points = weights @ boxes[voters], np.tensordot(weights, points[voters], axes=1)
            faces.append(Detection(voted_box, min(1.0, float(found.scores[best])), voted_points))
        return faces


def _shifted(face: Detection, shift: NDArray[np.float64]) -> Detection:
    axes = frame_from_canonical(face.landmarks, face.scheme)[:, :2]
    return replace(face, landmarks=face.landmarks + shift @ axes.T)


def _fitted(size: Size, into: Size) -> Size:
    """Return the largest size of the same proportions that lies in `into`."""
    scale = min(into[0] / size[0], into[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _letterboxed(picture: NDArray[np.uint8], shown: Size, placed: Size) -> NDArray[np.uint8]:
    """Return the picture resized to `shown`, in the upper left corner of a black one of size `placed`."""
    if picture.shape[:2] != shown:
        shrinks = shown[0] < picture.shape[0]
        picture = cv2.resize(picture, shown[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if shown == placed:
        return picture
    result = np.zeros((*placed, 3), dtype=np.uint8)
    result[: shown[0], : shown[1]] = picture
    return result


def cells(rows: int, columns: int, stride: int) -> NDArray[np.float64]:
    """Return (rows * columns, 2) x and y of the upper left corners of a grid's cells, row by row, px."""
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.stack([x, y], axis=1) * float(stride)
