"""Networks that restore faces: GFPGAN's, CodeFormer's, RestoreFormer's and GPEN's kind, from a file of the user's.

(B, 3, S, S) RGB in and the same face with fine detail out, framed as in FFHQ. Most take and give [-1, 1], some [0, 1]: the file
does not say, so it is shown a drawn face and its answer tells. CodeFormer's kind takes a number more: how faithful to stay.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import UnsupportedInputError
from faceswap.faces.graph import Graph, Slot
from faceswap.faces.session import Runner
from faceswap.schemes import FIVE, SCHEMES

_SIZE = 512
"""px where the file leaves the size open."""
_SIZES = (128, 1024)
_FFHQ = np.array([[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]]) / 512
"""(5, 2) where the five anchors of FFHQ's faces lie on the mean (Karras et al. 2019), in sides of the picture."""
_NEGATIVE = -0.25
"""What a network of [0, 1] never answers, and one of [-1, 1] does where its picture is dark."""
_DARK, _SKIN = 0.08, (0.78, 0.60, 0.50)


def is_restorer(graph: Graph) -> bool:
    """True for a file of this kind: square pictures of three channels in and out."""
    taken = graph.inputs[0].shape
    if len(taken) != 4 or taken[1] != 3 or taken[2] != taken[3]:
        return False
    return (taken[2] is None or _SIZES[0] <= taken[2] <= _SIZES[1]) and _picture_output(graph) is not None


def _picture_output(graph: Graph) -> int | None:
    """Return which output is the picture; some exports give codes and features beside it."""
    size = graph.inputs[0].shape[2]
    for number, slot in enumerate(graph.outputs):
        shape = slot.shape
        is_picture = len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3]
        if is_picture and (shape[2] is None or size is None or (shape[2] >= size and shape[2] % size == 0)):
            return number
    return None


class Restorer:
    """A `FaceRestorer`."""

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str) -> None:
        """Wrap a graph.

        Raises:
            UnsupportedInputError: it cannot be run, or gives no picture.
        """
        self.name = name
        self.size = graph.inputs[0].shape[2] or _SIZE
        self.patch_from_canonical = geometry.fit_similarity(SCHEMES[FIVE].template, _FFHQ * self.size)
        self._run = Runner(graph, name, threads, device, takes_numbers=True)
        self._picture, self._numbers = graph.inputs[0], graph.inputs[1:]
        self._output = _picture_output(graph) or 0
        self._offset = 1.0  # for the first look; what it is told by is found out next
        self._offset = self._looked_at()

    @property
    def is_signed(self) -> bool:
        """True when it takes and gives [-1, 1], False for [0, 1]."""
        return self._offset > 0

    def restore(self, pictures: NDArray[np.float32], faithfulness: float) -> NDArray[np.float32]:
        """See `FaceRestorer.restore`."""
        scale = 1 + self._offset
        found = self._answers(pictures * scale - self._offset, faithfulness)
        return np.clip((found + self._offset) / scale, 0, 1)

    def _answers(self, values: NDArray, faithfulness: float) -> NDArray[np.float32]:
        numbers = {slot.name: _number(slot, faithfulness) for slot in self._numbers}
        outputs = self._run(values.astype(self._picture.dtype), numbers)
        pictures = [each[self._output] for each in outputs]
        return np.stack([picture.reshape(picture.shape[-3:]) for picture in pictures]).astype(np.float32)

    def _looked_at(self) -> float:
        """Return how far below 0 black lies, by the answer to a drawn face."""
        shown = drawn_face(self.size)
        answer = self._answers(shown[None] * 2 - 1, 1.0)[0]
        if not np.isfinite(answer).all():
            raise UnsupportedInputError(
                f"{self.name} gives no finite numbers on this device; use --device cpu, or a float32 version of it"
            )
        if (
            answer.shape[0] != 3
            or answer.shape[1] != answer.shape[2]
            or answer.shape[1] % self.size
            or not answer.std()
        ):
            raise UnsupportedInputError(
                f"{self.name} restores no faces: it was shown a face of 3x{self.size}x{self.size} and answered with "
                f"{'x'.join(map(str, answer.shape))} of {'one value' if not answer.std() else 'many values'}"
            )
        return 1.0 if float(np.quantile(answer, 0.02)) < _NEGATIVE else 0.0


def _number(slot: Slot, value: float) -> NDArray:
    return np.full([1] * len(slot.shape), value, dtype=slot.dtype)


def drawn_face(size: int) -> NDArray[np.float32]:
    """Return a drawn face in the dark, framed as these networks see one: (3, size, size) RGB [0, 1]."""
    picture = np.full((size, size, 3), _DARK, dtype=np.float32)
    points = np.rint(_FFHQ * size).astype(int)
    thick = max(1, size // 40)
    cv2.ellipse(picture, (size // 2, int(0.55 * size)), (int(0.3 * size), int(0.42 * size)), 0, 0, 360, _SKIN, -1)
    for x, y in points[:2]:
        cv2.ellipse(picture, (int(x), int(y)), (2 * thick, thick), 0, 0, 360, (0.2, 0.15, 0.12), -1)
    mouth = [tuple(map(int, point)) for point in points[3:]]
    cv2.line(picture, mouth[0], mouth[1], (0.6, 0.25, 0.25), 2 * thick)
    soft = cv2.GaussianBlur(picture, (0, 0), size / 128)
    return np.ascontiguousarray(soft.transpose(2, 0, 1))
