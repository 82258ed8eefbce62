"""Landmark schemes: which points they have, and how each reduces to the five anchors that crops hang on.

Every scheme is aligned by the same five anchors (middles of the eyes, nose tip, mouth corners), so that crops of one face
agree whatever scheme its points came from: 3D-deep points move against each other when a head turns, and a fit to all 68 or
468 of them would follow them. Dense schemes still help: an eye's middle is then the mean of its contour. Where different
networks put the same anchor differs by a constant; each scheme's own template takes that out (measured on ten clips of nine
people: anchors under the alignment of FIVE, averaged, made symmetrical).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    jaw: tuple[int, ...] = ()
    """Points along the jaw from the left temple over the chin to the right one, as seen in the picture; empty = has none."""
    jaw_scale: float = 1.0
    """By how much that contour is drawn in towards the face's middle to lie on the outline that five points carry."""
    parts: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """Closed contours of eyes, brows, nose, mouth and the opening between the lips ("teeth"); empty = has none."""


def _template(eye_x: float, eye_y: float, nose_y: float, mouth_x: float, mouth_y: float) -> NDArray[np.float64]:
    return np.array([[-eye_x, eye_y], [eye_x, eye_y], [0, nose_y], [-mouth_x, mouth_y], [mouth_x, mouth_y]])


_EYES_106 = ((33, 35, 36, 37, 39, 40, 41, 42), (87, 89, 90, 91, 93, 94, 95, 96))
"""Without the pupils (34, 38, 88, 92), which look about."""
_EYES_68 = (tuple(range(36, 42)), tuple(range(42, 48)))
# Brows are lines there: forth and back.
_BROWS_68 = ((17, 18, 19, 20, 21, 20, 19, 18), (22, 23, 24, 25, 26, 25, 24, 23))
_UPPER_PARTS_68 = {"eyes": _EYES_68, "brows": _BROWS_68, "nose": ((27, 35, 34, 33, 32, 31),)}
_JAW_68 = tuple(range(17))
_JAW_SCALE_68, _JAW_SCALE_MESH = 0.89, 0.93
"""Measured on ten clips: the hulls have the mean area of those from five points."""

_PARTS_106 = {
    "eyes": ((35, 41, 42, 39, 37, 36), (89, 95, 96, 93, 91, 90)),
    "brows": ((43, 48, 49, 51, 50, 51, 49, 48), (102, 103, 104, 105, 101, 105, 104, 103)),
    "nose": ((72, 84, 85, 80, 79, 78),),
    "mouth": ((52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55),),
    "teeth": ((65, 66, 62, 70, 69, 57, 60, 54),),
}

# The mesh's oval from temple to temple over the chin, below its part on the forehead.
_MESH_LEFT_JAW = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148)
_MESH_RIGHT_JAW = (377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356)
_MESH_JAW = (*_MESH_LEFT_JAW, 152, *_MESH_RIGHT_JAW)
_MESH_PARTS = {
    "eyes": (_MESH_LEFT_EYE, _MESH_RIGHT_EYE),
    "brows": ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)),
    "nose": ((168, 351, 358, 327, 2, 98, 129, 122),),
    "mouth": ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),),
    "teeth": ((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),),
}

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
        Scheme(
            IBUG68,
            68,
            (*_EYES_68, (30,), (48,), (54,)),
            _template(0.550, -0.001, 0.629, 0.4685, 1.1915),
            _JAW_68,
            _JAW_SCALE_68,
            {**_UPPER_PARTS_68, "mouth": (tuple(range(48, 60)),), "teeth": (tuple(range(60, 68)),)},
        ),
        Scheme(
            LM66,
            66,
            (*_EYES_68, (30,), (58,), (62,)),
            _template(0.550, -0.001, 0.629, 0.4685, 1.1915),
            _JAW_68,
            _JAW_SCALE_68,
            {
                **_UPPER_PARTS_68,
                "mouth": ((58, 48, 49, 50, 51, 52, 62, 53, 54, 55, 56, 57),),
                "teeth": ((59, 60, 61, 63, 64, 65),),
            },
        ),
        # The same places of the face as in IBUG68; not measured, since no file of it was at hand.
        Scheme(
            INSIGHT106,
            106,
            (*_EYES_106, (86,), (52,), (61,)),
            _template(0.550, -0.001, 0.629, 0.4685, 1.1915),
            (1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17),
            _JAW_SCALE_68,
            _PARTS_106,
        ),
        Scheme(
            MESH468,
            468,
            (_MESH_LEFT_EYE, _MESH_RIGHT_EYE, (1, 4), (61,), (291,)),
            _template(0.5525, -0.0137, 0.638, 0.443, 1.1845),
            _MESH_JAW,
            _JAW_SCALE_MESH,
            _MESH_PARTS,
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


def scheme_with(num_points: int) -> str:
    """Return the name of the scheme that has so many points.

    Raises:
        ShapeError: there is none.
    """
    for scheme in SCHEMES.values():
        if scheme.num_points == num_points:
            return scheme.name
    raise ShapeError(
        f"no landmark scheme has {num_points} points; there are those of {[s.num_points for s in SCHEMES.values()]}"
    )
