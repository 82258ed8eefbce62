"""The kinds of files that are known, one table for each role; the first row that matches a file wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from faceswap.faces import arcface, facemesh, heatmap66, insight106, restorers, segmenters
from faceswap.faces.centerface import CENTERFACE
from faceswap.faces.detector import DetectorKind
from faceswap.faces.graph import Graph
from faceswap.faces.retinaface import RETINAFACE
from faceswap.faces.scrfd import SCRFD, SCRFD_BOXES
from faceswap.faces.ultraface import ULTRAFACE
from faceswap.faces.yunet import YUNET

Role = Literal["detector", "landmarker", "encoder", "segmenter", "restorer"]


class AnyKind(Protocol):
    """What the rows of all tables have."""

    @property
    def name(self) -> str: ...
    @property
    def looks_like(self) -> str: ...
    @property
    def matches(self) -> Callable[[Graph], bool]: ...


@dataclass(frozen=True, slots=True, eq=False)
class NetworkKind:
    """One kind of landmarker, encoder, segmenter or restorer file."""

    name: str
    """With the version of its reading, stored beside what it found."""
    looks_like: str
    """Its outputs in a few words, for the message about files of no known kind."""
    matches: Callable[[Graph], bool]
    make: Callable[..., Any]
    """(graph, name, *, threads, device) -> network; segmenters are told `glasses` too."""


DETECTOR_KINDS: tuple[DetectorKind, ...] = (CENTERFACE, YUNET, SCRFD, SCRFD_BOXES, RETINAFACE, ULTRAFACE)
LANDMARKER_KINDS = (
    NetworkKind("facemesh-1", "an output of 1404 values", facemesh.matches, facemesh.FaceMesh),
    NetworkKind("heatmap66-1", "198 maps", heatmap66.matches, heatmap66.Heatmap66),
    NetworkKind("insight106-1", "212 values", insight106.matches, insight106.Insight106),
)
ENCODER_KINDS = (NetworkKind("arcface-1", "pictures of 3x112x112, one vector", arcface.matches, arcface.ArcFace),)
SEGMENTER_KINDS = (
    NetworkKind("xseg-1", "pictures of SxSx3, a mask of SxSx1", segmenters.is_xseg, segmenters.XSeg),
    NetworkKind("parsing-1", "pictures of 3xSxS, scores of 19xSxS", segmenters.is_parsing, segmenters.FaceParser),
)
RESTORER_KINDS = (
    NetworkKind(
        "restorer-1", "square pictures of 3xSxS in and out, S 128 to 1024", restorers.is_restorer, restorers.Restorer
    ),
)
KINDS: dict[Role, tuple[AnyKind, ...]] = {
    "detector": DETECTOR_KINDS,
    "landmarker": LANDMARKER_KINDS,
    "encoder": ENCODER_KINDS,
    "segmenter": SEGMENTER_KINDS,
    "restorer": RESTORER_KINDS,
}
