"""The networks that look at faces, by name, by file, or by what `faceswap models` keeps.

A file says itself of what kind it is: by the shapes of its inputs and outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.base import Detector, IdentityEncoder, Landmarker, Segmenter
from faceswap.faces.graph import Graph, read_graph
from faceswap.weights import read_weights, weights_registry

Role = Literal["detector", "landmarker", "encoder", "segmenter"]
DEFAULT_DETECTOR = "centerface-1"
"""`Detector.name` of what `make_detector()` gives."""


def make_detector(name: str = "centerface", *, threads: int = 2, device: str = "auto") -> Detector:
    """Return a detector.

    Args:
        name: of known weights, or the path of an ONNX file of any known kind.
        threads: limit of its CPU threads. device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: an unknown name. UnsupportedInputError: a file of no known kind.
    """
    from faceswap.faces.detector import OnnxDetector
    from faceswap.faces.kinds import DETECTOR_KINDS

    found = _read(name, "detector")
    kind = next((kind for kind in DETECTOR_KINDS if kind.matches(found.graph)), None)
    if kind is None:
        raise _unknown_kind(found, "detector", [f"{kind.name} ({kind.looks_like})" for kind in DETECTOR_KINDS])
    graph = read_graph(found.data, name, is_fully_convolutional=True) if kind.is_fully_convolutional else found.graph
    return OnnxDetector(graph, kind, found.versioned(kind.name), threads=threads, device=device)


def make_landmarker(name: str, *, threads: int = 2, device: str = "auto") -> Landmarker:
    """Return a landmarker; arguments and errors as of `make_detector`."""
    from faceswap.faces.kinds import LANDMARKER_KINDS

    found = _read(name, "landmarker")
    kind = next((kind for kind in LANDMARKER_KINDS if kind.matches(found.graph)), None)
    if kind is None:
        raise _unknown_kind(found, "landmarker", [f"{kind.name} ({kind.looks_like})" for kind in LANDMARKER_KINDS])
    return kind.make(found.graph, found.versioned(kind.name), threads=threads, device=device)


def make_encoder(name: str, *, threads: int = 2, device: str = "auto") -> IdentityEncoder:
    """Return an identity encoder; arguments and errors as of `make_detector`."""
    from faceswap.faces.kinds import ENCODER_KINDS

    found = _read(name, "encoder")
    kind = next((kind for kind in ENCODER_KINDS if kind.matches(found.graph)), None)
    if kind is None:
        raise _unknown_kind(found, "encoder", [f"{kind.name} ({kind.looks_like})" for kind in ENCODER_KINDS])
    return kind.make(found.graph, found.versioned(kind.name), threads=threads, device=device)


def make_segmenter(name: str, *, glasses: bool = True, threads: int = 2, device: str = "auto") -> Segmenter:
    """Return a segmenter; arguments and errors as of `make_detector`.

    Args:
        glasses: with face parsing: they count as part of the face.
    """
    from faceswap.faces.segmenters import FaceParser, XSeg, is_parsing, is_xseg

    found = _read(name, "segmenter")
    if is_xseg(found.graph):
        return XSeg(found.graph, found.versioned("xseg-1"), threads=threads, device=device)
    if is_parsing(found.graph):
        return FaceParser(found.graph, found.versioned("parsing-1"), threads=threads, device=device, glasses=glasses)
    kinds = ["xseg-1 (pictures of SxSx3, masks of SxSx1)", "parsing-1 (pictures of 3xSxS, scores of 19xSxS)"]
    raise _unknown_kind(found, "segmenter", kinds)


@dataclass(frozen=True, slots=True)
class _Found:
    """The bytes behind a name."""

    name: str
    data: bytes
    graph: Graph
    is_known: bool
    """The bytes are those that this version pins."""

    def versioned(self, kind: str) -> str:
        """Return what is stored beside results: the kind, and the file unless this version pins it."""
        return kind if self.is_known else f"{kind}-{self.graph.sha256[:8]}"


def _read(name: str, role: Role) -> _Found:
    known = [known for known, entry in weights_registry().items()]
    if name in known:
        data, is_known = read_weights(name), True
    elif Path(name).is_file():
        data, is_known = Path(name).read_bytes(), False
    else:
        raise UsageError(f"no {role} {name!r}; there are: {', '.join(known)}, or the path of an ONNX file")
    return _Found(name, data, read_graph(data, name), is_known)


def _unknown_kind(found: _Found, role: Role, known: list[str]) -> UnsupportedInputError:
    return UnsupportedInputError(
        f"{found.name} is no {role} of a known kind; known: {'; '.join(known)}; it has {found.graph.shape_text}"
    )
