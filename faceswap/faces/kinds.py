"""The kinds of files that are known, one table for each role; the first row that matches a file wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from faceswap.faces import arcface, facemesh, heatmap66
from faceswap.faces.base import IdentityEncoder, Landmarker
from faceswap.faces.centerface import CENTERFACE
from faceswap.faces.graph import Graph
from faceswap.faces.retinaface import RETINAFACE
from faceswap.faces.scrfd import SCRFD, SCRFD_BOXES
from faceswap.faces.ultraface import ULTRAFACE
from faceswap.faces.yunet import YUNET

N = TypeVar("N", Landmarker, IdentityEncoder, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[N]):
    """One kind of landmarker or encoder file."""

    name: str
    """With the version of its reading, stored beside what it found."""
    looks_like: str
    matches: Callable[[Graph], bool]
    make: Callable[..., N]
    """(graph, name, *, threads, device) -> network"""


DETECTOR_KINDS = (CENTERFACE, YUNET, SCRFD, SCRFD_BOXES, RETINAFACE, ULTRAFACE)
LANDMARKER_KINDS: tuple[Kind[Landmarker], ...] = (
    Kind("facemesh-1", "an output of 1404 values", facemesh.matches, facemesh.FaceMesh),
    Kind("heatmap66-1", "198 maps", heatmap66.matches, heatmap66.Heatmap66),
)
ENCODER_KINDS: tuple[Kind[IdentityEncoder], ...] = (
    Kind("arcface-1", "pictures of 3x112x112, one vector", arcface.matches, arcface.ArcFace),
)
