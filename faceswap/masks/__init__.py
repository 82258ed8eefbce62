"""Masks: (1, S, S) float32 in [0, 1], 1 = take the swapped pixel. Distances are in patch px unless a name says otherwise."""

from faceswap.masks.edges import Sides, guided_filter, refine_edge, shape_edge, with_clean_support
from faceswap.masks.hulls import face_hull
from faceswap.masks.skin import face_core, face_mask

__all__ = [
    "Sides",
    "face_core",
    "face_hull",
    "face_mask",
    "guided_filter",
    "refine_edge",
    "shape_edge",
    "with_clean_support",
]
