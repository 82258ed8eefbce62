"""Does a picture show explicit nudity? What the network inside the package `nudenet` says, read by our own code.

Its detector (320n.onnx, YOLOv8) names 18 parts of bodies, bare and covered; five bare ones count here. Only that file of the
package is used: nothing of its code is imported. Its licence: THIRD_PARTY.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UnsupportedInputError
from faceswap.faces.graph import read_graph
from faceswap.faces.session import Runner
from faceswap.faces.views import Orientation, render_view, upright_from_frame
from faceswap.geometry import compose
from faceswap.types import Frame

SIDE = 320
"""Pictures are looked at in a square of so many px."""
_NUM_OUTPUTS = 22
"""Numbers for each place: x, y, w, h, then the scores of the 18 parts."""
EXPLICIT: Mapping[str, int] = {
    "buttocks": 2,
    "female breast": 3,
    "female genitals": 4,
    "anus": 6,
    "male genitals": 14,
}
"""Bare parts that count, and their place among the 18."""
THRESHOLDS: Mapping[str, float] = {
    "buttocks": 0.6,
    "female breast": 0.6,
    "female genitals": 0.5,
    "anus": 0.5,
    "male genitals": 0.5,
}
"""Scores from which on a picture counts as explicit."""

Scores = Mapping[str, float]
"""Part -> its highest score in a picture, [0, 1]."""


class ExplicitDetector(Protocol):
    """Tells how sure it is to see each explicit part."""

    name: str
    """With a version; kept results of another name are not used."""

    def scores(self, frame: Frame, orientation: Orientation) -> Scores: ...


class NudeNet:
    """The network of the package nudenet; loaded when the first frame is looked at."""

    def __init__(self, data: bytes, *, threads: int = 1, device: str = "cpu") -> None:
        """Take the ONNX file."""
        self.name = f"nudenet-{hashlib.sha256(data).hexdigest()[:8]}"
        self._data, self._threads, self._device = data, threads, device
        self._run: Runner | None = None

    def scores(self, frame: Frame, orientation: Orientation) -> Scores:
        """Return the highest score of each explicit part.

        Args:
            orientation: how players turn the frame.

        Raises:
            UnsupportedInputError: the file is another network.
        """
        if self._run is None:
            self._run = self._loaded()
        (output,) = self._run(_square(frame, orientation)[None])[0]
        best = output.reshape(_NUM_OUTPUTS, -1)[4:].max(axis=1)
        return {part: round(float(best[place]), 4) for part, place in EXPLICIT.items()}

    def _loaded(self) -> Runner:
        graph = read_graph(self._data, "the network of nudenet")
        if len(graph.outputs) != 1 or len(graph.outputs[0].shape) != 3 or graph.outputs[0].shape[1] != _NUM_OUTPUTS:
            raise UnsupportedInputError(
                f"the network of nudenet is not the one that is known (320n.onnx of nudenet 3.4): {graph.shape_text}; "
                'install it with pip install "faceswap[safeguard]"'
            )
        return Runner(graph, "the network of nudenet", self._threads, self._device)


def installed_network() -> Path | None:
    """Return the ONNX file of the package nudenet; None = it is not installed."""
    spec = find_spec("nudenet")  # finds the folder without importing the package
    places: Sequence[str] = (spec.submodule_search_locations or ()) if spec else ()
    return next((path for path in (Path(place) / "320n.onnx" for place in places) if path.is_file()), None)


def is_explicit(scores: Scores) -> bool:
    """True when some part is seen surely enough."""
    return any(scores.get(part, 0.0) >= least for part, least in THRESHOLDS.items())


def _square(frame: Frame, orientation: Orientation) -> NDArray[np.float32]:
    """Return the upright picture in the upper left of a black square: (3, 320, 320) float32 RGB [0, 1]."""
    upright, (height, width) = upright_from_frame(frame.size, orientation)
    scale = SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    view = compose(np.array([[size[1] / width, 0, 0], [0, size[0] / height, 0]]), upright)
    picture = cv2.copyMakeBorder(
        render_view(frame, view, size), 0, SIDE - size[0], 0, SIDE - size[1], cv2.BORDER_CONSTANT
    )
    return np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
