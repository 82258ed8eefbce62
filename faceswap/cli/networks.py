"""The options by which commands choose the networks that look at faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from faceswap.faces.base import Detector


@dataclass(frozen=True, slots=True)
class FinderOptions:
    """How faces are found and placed."""

    detector: Annotated[
        str,
        typer.Option(help="What finds faces: a name (`faceswap models list`), an ONNX file or an insightface pack."),
    ] = "centerface"
    landmarks: Annotated[
        str | None,
        typer.Option(help="What places points on faces, named like --detector; default: the detector itself."),
    ] = None
    refine: Annotated[
        int, typer.Option(help="Average each face's points over this many crops, 1 to 8: steadier, and slower.")
    ] = 1

    def make(self, device: str) -> Detector:
        """Return the networks that a command was told to use.

        Raises:
            UsageError: unknown names, missing weights, a detector of boxes without a landmarker, or a number out of range.
            UnsupportedInputError: files of no known kind.
        """
        from faceswap.faces.registry import make_method

        return make_method(self.detector, self.landmarks, refine=self.refine, device=device)
