"""Detectors by name."""

from __future__ import annotations

from collections.abc import Callable

from faceswap.errors import UsageError
from faceswap.faces.base import Detector


def _centerface(threads: int) -> Detector:
    from faceswap.faces.centerface import CenterFace

    return CenterFace(threads=threads)


DETECTORS: dict[str, Callable[[int], Detector]] = {"centerface": _centerface}


def make_detector(name: str = "centerface", *, threads: int = 2) -> Detector:
    """Return a detector by its registered name; `threads` limits its CPU threads."""
    if name not in DETECTORS:
        raise UsageError(f"no detector {name!r}; there are: {', '.join(DETECTORS)}")
    return DETECTORS[name](threads)
