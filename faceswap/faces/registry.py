"""The networks that look at faces, made from names, files or packs.

A file says itself of what kind it is: by the shapes of its inputs and outputs (`faces.kinds`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from faceswap.errors import UsageError
from faceswap.faces.base import Detector, FaceRestorer, IdentityEncoder, Landmarker, Segmenter

if TYPE_CHECKING:
    from faceswap.faces.detector import DetectorKind
    from faceswap.faces.kinds import NetworkKind

DEFAULT_DETECTOR = "centerface-1"
"""`Detector.name` of what `make_detector()` gives."""


def make_detector(name: str = "centerface", *, threads: int = 2, device: str = "auto") -> Detector:
    """Return a detector.

    Args:
        name: of known or stored weights, the path of an ONNX file, or an insightface pack.
        threads: limit of its CPU threads. device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: an unknown name, or weights that are not on this machine. UnsupportedInputError: a file of no known kind.
    """
    from faceswap.faces.detector import OnnxDetector
    from faceswap.faces.graph import read_graph
    from faceswap.faces.network_files import find_network, known_kind

    found = find_network(name, "detector")
    kind = cast("DetectorKind", known_kind(found, "detector"))
    graph = read_graph(found.data, name, is_fully_convolutional=True) if kind.is_fully_convolutional else found.graph
    return OnnxDetector(graph, kind, found.versioned(kind.name), threads=threads, device=device)


def make_landmarker(name: str, *, threads: int = 2, device: str = "auto") -> Landmarker:
    """Return a landmarker; arguments and errors as of `make_detector`."""
    from faceswap.faces.network_files import find_network, known_kind
    from faceswap.weights import weights_registry

    found = find_network(name, "landmarker")
    if found.sha256 == weights_registry()["fan"].sha256:  # not ONNX: known by its bytes alone
        from faceswap.faces.fan import load_fan

        return load_fan(found.data, name, device=device)
    kind = cast("NetworkKind", known_kind(found, "landmarker"))
    return kind.make(found.graph, found.versioned(kind.name), threads=threads, device=device)


def make_encoder(name: str, *, threads: int = 2, device: str = "auto") -> IdentityEncoder:
    """Return an identity encoder; arguments and errors as of `make_detector`."""
    from faceswap.faces.network_files import find_network, known_kind

    found = find_network(name, "encoder")
    kind = cast("NetworkKind", known_kind(found, "encoder"))
    return kind.make(found.graph, found.versioned(kind.name), threads=threads, device=device)


def make_method(
    detector: str = "centerface",
    landmarks: str | None = None,
    *,
    refine: int = 1,
    threads: int = 2,
    device: str = "auto",
) -> Detector:
    """Return a detector that brings its landmarker along, for everything that takes a detector.

    Args:
        landmarks: name of a landmarker; None = faces are aligned by the detector's own points.
        refine: number of crops of each face whose points are averaged.

    Raises:
        UsageError: also when the detector finds boxes only and there is no landmarker, or for an impossible `refine`. Else as
            `make_detector`.
    """
    from faceswap.faces.method import FaceMethod

    finds = make_detector(detector, threads=threads, device=device)
    places = make_landmarker(landmarks, threads=threads, device=device) if landmarks is not None else None
    require_points(finds, places)
    return FaceMethod(finds, places, refine)


def make_segmenter(name: str, *, glasses: bool = True, threads: int = 2, device: str = "auto") -> Segmenter:
    """Return a segmenter; arguments and errors as of `make_detector`.

    Args:
        glasses: with face parsing: they count as part of the face.
    """
    from faceswap.faces.network_files import find_network, known_kind

    found = find_network(name, "segmenter")
    kind = cast("NetworkKind", known_kind(found, "segmenter"))
    return kind.make(found.graph, found.versioned(kind.name), threads=threads, device=device, glasses=glasses)


def make_restorer(name: str, *, threads: int = 2, device: str = "auto") -> FaceRestorer:
    """Return a network that restores faces; arguments and errors as of `make_detector`."""
    from faceswap.faces.network_files import find_network, known_kind

    found = find_network(name, "restorer")
    kind = cast("NetworkKind", known_kind(found, "restorer"))
    return kind.make(found.graph, found.versioned(kind.name), threads=threads, device=device)


def require_points(detector: Detector, landmarker: Landmarker | None) -> None:
    """Refuse to align faces by points that are only guessed from boxes.

    Raises:
        UsageError: the detector gives boxes only, and there is no landmarker.
    """
    if landmarker is None and getattr(detector, "is_boxes_only", False):
        raise UsageError(
            f"the detector {detector.name} finds boxes only, which faces cannot be aligned by; "
            "add --landmarks, or use --detector centerface"
        )
