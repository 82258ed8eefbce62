"""Detectors by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.faces.base import Detector, Segmenter


def _centerface(threads: int, device: str) -> Detector:
    from faceswap.faces.centerface import CenterFace

    return CenterFace(threads=threads, device=device)


DEFAULT_DETECTOR = "centerface-1"
"""`Detector.name` of what `make_detector()` gives."""
DETECTORS: dict[str, Callable[[int, str], Detector]] = {"centerface": _centerface}


def make_detector(name: str = "centerface", *, threads: int = 2, device: str = "auto") -> Detector:
    """Return a detector by its registered name.

    Args:
        threads: limit of its CPU threads. device: "auto", "cpu", "cuda" or "cuda:N".
    """
    if name not in DETECTORS:
        raise UsageError(f"no detector {name!r}; there are: {', '.join(DETECTORS)}")
    return DETECTORS[name](threads, device)


def make_segmenter(path: Path, *, glasses: bool = True, threads: int = 2, device: str = "auto") -> Segmenter:
    """Return the segmentation network of an ONNX file, of XSeg's or of face parsing's kind: its graph tells which.

    Args:
        glasses: face parsing only: glasses count as part of the face.
        threads: limit of its CPU threads. device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: no such file. UnsupportedInputError: not ONNX, or a network of another kind.
    """
    from faceswap.faces.segmenters import open_segmenter

    return open_segmenter(path, glasses=glasses, threads=threads, device=device)
