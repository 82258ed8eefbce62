"""Faces in pictures outside a faceset, for comparison."""

from __future__ import annotations

from pathlib import Path

from faceswap.errors import UnsupportedInputError
from faceswap.faces.align import patch_from_frame
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.registry import make_detector
from faceswap.faces.views import render_view
from faceswap.facesets.figures import VIEW, look_of
from faceswap.media.pictures import PictureFolder


def look_of_picture(path: Path, device: str = "auto", detector: Detector | None = None) -> bytes:
    """Return the appearance descriptor of the largest face of a picture.

    Raises:
        NoFaceError: there is none. UnsupportedInputError: the picture cannot be read.
    """
    reader = PictureFolder(path)
    frame = next(iter(reader), None)
    if frame is None:
        raise UnsupportedInputError(f"{path} cannot be read as a picture")
    faces = analyse(reader, detector or make_detector(device=device)).faces
    face = max(faces, key=lambda face: float(face.box[2] - face.box[0]))
    return look_of(render_view(frame, patch_from_frame(face, VIEW), (VIEW.size, VIEW.size)))
