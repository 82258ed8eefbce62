"""The options by which commands choose the networks that look at faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from faceswap.faces.base import Detector

DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector", help="What finds faces: a name (`faceswap models list`), an ONNX file or an insightface pack."
    ),
]
LandmarksOption = Annotated[
    str | None,
    typer.Option(
        "--landmarks", help="What places points on faces, named like --detector; default: the detector itself."
    ),
]


def chosen_detector(detector: str, landmarks: str | None, device: str) -> Detector:
    """Return the networks that a command was told to use.

    Raises:
        UsageError: unknown names, missing weights, or a detector of boxes without a landmarker.
        UnsupportedInputError: files of no known kind.
    """
    from faceswap.faces.registry import make_method

    return make_method(detector, landmarks, device=device)
