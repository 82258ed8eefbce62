"""The pictures of a frame that a detector gets to see: the whole of it, or a square around a place, upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import Detection
from faceswap.faces.fields import UPPER
from faceswap.faces.views import Orientation, render_view
from faceswap.media.planes import field_of
from faceswap.types import Frame, Matrix

JITTER = np.array(
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.05, 0.1, 0.03, -0.02),
        (-0.05, -0.1, -0.03, 0.02),
        (0.05, -0.1, 0.02, 0.03),
        (-0.05, 0.1, -0.02, -0.03),
        (0.1, 0.0, -0.03, 0.0),
        (-0.1, 0.0, 0.03, 0.0),
        (0.0, 0.0, 0.0, 0.03),
    ]
)
"""(n, 4) by what crops of one face whose points are averaged differ: log of the size, turn (radians), shift in x and y
(sides of the box)."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a face is expected."""

    box: NDArray[np.float64]
    """(4,) x0, y0, x1, y1 px of the stored frame."""
    roll: float
    """How far the head is turned clockwise from upright in the stored frame, radians."""

    @classmethod
    def of(cls, detection: Detection) -> Place:
        """Return where a face was found."""
        matrix = frame_from_canonical(detection.landmarks, detection.scheme)
        return cls(detection.box, geometry.to_similarity(matrix).angle)


class View(NamedTuple):
    """A picture cut from a frame."""

    pixels: NDArray[np.uint8]
    """(h, w, 3) RGB."""
    frame_from_view: Matrix


@dataclass(frozen=True, slots=True)
class Viewer:
    """How the pictures of a clip are to be looked at."""

    orientation: Orientation = None
    is_interlaced: bool = False
    """Only the upper field is looked at: woven from two moments, a face is wider than it is, and torn."""

    @property
    def roll(self) -> float:
        """Return how far heads that are upright when shown are turned in the stored frame, radians."""
        if self.orientation is None:
            return 0.0
        up = self.orientation.T @ [0.0, -1.0]
        return float(np.arctan2(up[0], -up[1]))

    def whole(self, frame: Frame, side: int, roll: float) -> View:
        """Return the whole frame so that heads of this roll are upright, `side` px long (at most its own size).

        Height and width are multiples of 32; what lies outside the frame repeats its edge.
        """
        turned = _rotation(-roll)
        corners = geometry.corners_of(frame.size) @ turned[:, :2].T
        low, high = corners.min(axis=0), corners.max(axis=0)
        width, height = high - low
        scale = min(1.0, side / max(height, width))
        rows, columns = (max(32, -(-round(n * scale) // 32) * 32) for n in (height, width))
        shifted = geometry.compose(geometry.translation(*-low), turned)
        return self.render(frame, geometry.compose(geometry.scaling(scale), shifted), (rows, columns))

    def around(self, frame: Frame, place: Place, size: int, room: float) -> View:
        """Return a square of `size` px in which the place's box is upright and 1/`room` of the side.

        The box is in its middle, but for the edge of the frame, which the square does not leave if it can: detectors
        miss faces that are cut off by it where the edge is repeated instead.
        """
        side = max(1.0, (place.box[2:] - place.box[:2]).max()) * room
        scale = size / side
        extent = np.array(frame.size[::-1], dtype=np.float64)
        reach = np.minimum(side, extent) / 2
        centre = np.clip(place.box.reshape(2, 2).mean(axis=0), reach, extent - reach)
        turned = geometry.compose(_rotation(-place.roll), geometry.translation(*-centre))
        to_view = geometry.compose(geometry.translation(size / 2, size / 2), geometry.scaling(scale))
        return self.render(frame, geometry.compose(to_view, turned), (size, size))

    def render(self, frame: Frame, view_from_frame: Matrix, size: tuple[int, int]) -> View:
        """Return the (h, w) picture that the matrix cuts from a frame."""
        frame_from_view = geometry.invert(view_from_frame)
        if self.is_interlaced:
            frame = field_of(frame, UPPER)
            view_from_frame = geometry.compose(view_from_frame, geometry.frame_from_field(UPPER))
        return View(render_view(frame, view_from_frame, size), frame_from_view)


def moved(detection: Detection, matrix: Matrix) -> Detection:
    """Return the detection in the coordinates that a similarity leads to.

    Boxes stay upright rectangles: each is the rectangle around the ellipse that fills the box.
    """
    low, high = detection.box.reshape(2, 2)
    centre = geometry.apply(matrix, (low + high)[None] / 2)[0]
    half = np.sqrt(matrix[:, :2] ** 2 @ ((high - low) / 2) ** 2)
    return Detection(
        np.concatenate([centre - half, centre + half]),
        detection.score,
        geometry.apply(matrix, detection.landmarks),
        detection.scheme,
        detection.appearance,
    )


def _rotation(angle: float) -> Matrix:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
