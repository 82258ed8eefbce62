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
RefineOption = Annotated[
    int,
    typer.Option("--refine", help="Average each face's points over this many crops, 1 to 8: steadier, and slower."),
]


def chosen_detector(detector: str, landmarks: str | None, refine: int, device: str) -> Detector:
    """Return the networks that a command was told to use.

    Raises:
        UsageError: unknown names, missing weights, a detector of boxes without a landmarker, or a number out of range.
        UnsupportedInputError: files of no known kind.
    """
    from faceswap.faces.registry import make_method

    return make_method(detector, landmarks, refine=refine, device=device)
