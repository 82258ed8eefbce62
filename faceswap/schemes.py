"""Landmark schemes: which points they have, and how each reduces to the five anchors that crops hang on.

Every scheme is aligned by the same five anchors (middles of the eyes, nose tip, mouth corners), so that crops of one face
agree whatever scheme its points came from: 3D-deep points move against each other when a head turns, and a fit to all 68 or
468 of them would follow them. Dense schemes still help: an eye's middle is then the mean of its contour. Where different
networks put the same anchor differs by a constant; each scheme's own template takes that out (measured on ten clips of nine
people: anchors under the alignment of FIVE, averaged, made symmetrical).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import ShapeError
from faceswap.types import FIVE

IBUG68 = "ibug68"
"""The 68 points of 300-W (Sagonas et al. 2013): jaw, brows, nose, eyes, outer and inner lips."""
LM66 = "lm66"
"""OpenSeeFace's 66 points: as IBUG68 up to the eyes, then lips in an order of their own."""
INSIGHT106 = "insight106"
"""insightface's 106 points (`2d106det`): outline, left eye and brow, lips, nose, right eye and brow."""
MESH468 = "mesh468"
"""MediaPipe's face mesh (Kartynnik et al. 2019), x and y."""

_MESH_LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
_MESH_RIGHT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """A set of facial points."""

    name: str
    num_points: int
    anchors: tuple[tuple[int, ...], ...]
    """Five groups of points; the mean of a group is an anchor."""
    template: NDArray[np.float64]
    """(5, 2) anchors of the mean frontal face: unit = inter-ocular distance, origin between the eyes, y down."""


def _template(eye_x: float, eye_y: float, nose_y: float, mouth_x: float, mouth_y: float) -> NDArray[np.float64]:
    return np.array([[-eye_x, eye_y], [eye_x, eye_y], [0, nose_y], [-mouth_x, mouth_y], [mouth_x, mouth_y]])


_EYES_106 = ((33, 35, 36, 37, 39, 40, 41, 42), (87, 89, 90, 91, 93, 94, 95, 96))
"""Without the pupils (34, 38, 88, 92), which look about."""
_EYES_68 = (tuple(range(36, 42)), tuple(range(42, 48)))

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            FIVE,
            5,
            ((0,), (1,), (2,), (3,), (4,)),
            # Proportions of the ArcFace/InsightFace 112 px alignment points.
            np.array([[-0.5, 0.003], [0.5, -0.003], [0.003, 0.571], [-0.408, 1.157], [0.420, 1.152]]),
        ),
        Scheme(IBUG68, 68, (*_EYES_68, (30,), (48,), (54,)), _template(0.550, -0.001, 0.629, 0.4685, 1.1915)),
        Scheme(LM66, 66, (*_EYES_68, (30,), (58,), (62,)), _template(0.550, -0.001, 0.629, 0.4685, 1.1915)),
        # The same places of the face as in IBUG68; not measured, since no file of it was at hand.
        Scheme(INSIGHT106, 106, (*_EYES_106, (86,), (52,), (61,)), _template(0.550, -0.001, 0.629, 0.4685, 1.1915)),
        Scheme(
            MESH468,
            468,
            (_MESH_LEFT_EYE, _MESH_RIGHT_EYE, (1, 4), (61,), (291,)),
            _template(0.5525, -0.0137, 0.638, 0.443, 1.1845),
        ),
    )
}

NOSE_DEPTH = 0.62
"""How far the nose tip lies before the plane of the other four anchors, in inter-ocular distances (measured with MESH468)."""


def anchors_of(landmarks: NDArray, scheme: str) -> NDArray[np.float64]:
    """Return the (5, 2) anchors of a face's landmarks, in the same coordinates.

    Raises:
        ShapeError: an unknown scheme, or another number of points than it has.
    """
    known = SCHEMES.get(scheme)
    if known is None or landmarks.shape != (known.num_points, 2):
        raise ShapeError(
            f"no template for landmarks {landmarks.shape} of scheme {scheme!r}; known: "
            + ", ".join(f"{s.name!r} ({s.num_points}, 2)" for s in SCHEMES.values())
        )
    return np.stack([landmarks[list(group)].mean(axis=0) for group in known.anchors]).astype(np.float64)
