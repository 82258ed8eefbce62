"""Faces in pictures outside a faceset, for comparison; and the networks that compare people."""

from __future__ import annotations

from pathlib import Path

from faceswap import geometry
from faceswap.errors import NoFaceError, UnsupportedInputError, UsageError
from faceswap.faces import registry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import Detector, IdentityEncoder
from faceswap.faces.finder import FaceFinder
from faceswap.faces.views import render_view
from faceswap.facesets.figures import VIEW, look_of
from faceswap.media.pictures import PictureFolder


def look_of_picture(path: Path, device: str = "auto", detector: Detector | None = None) -> bytes:
    """Return the appearance descriptor of the largest face of a picture.

    Raises:
        NoFaceError: there is none. UnsupportedInputError: the picture cannot be read.
    """
    frame = next(iter(PictureFolder(path)), None)
    if frame is None:
        raise UnsupportedInputError(f"{path} cannot be read as a picture")
    finder = FaceFinder(detector or registry.make_detector(device=device), None, 24)
    found = finder.in_whole_frames([frame])[0]
    if not found:
        raise NoFaceError(f"{path}: no face of 24 px or more; name a picture that shows one")
    face = max(found, key=lambda detection: float(detection.box[2] - detection.box[0]))
    canonical_from_frame = geometry.invert(frame_from_canonical(face.landmarks, face.scheme))
    matrix = geometry.compose(geometry.patch_from_canonical(VIEW), canonical_from_frame)
    return look_of(render_view(frame, matrix, (VIEW.size, VIEW.size)))


def named_encoder(name: str, device: str) -> IdentityEncoder:
    """Return an identity encoder by name or file.

    Raises:
        UsageError: this version has no encoders.
    """
    make = getattr(registry, "make_encoder", None)
    if make is None:
        raise UsageError(f"--id-encoder {name}: this version has no identity encoders; leave the option out")
    encoder: IdentityEncoder = make(name, device=device)
    return encoder
