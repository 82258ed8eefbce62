"""Which face index of a clip is meant: the same options for each command that reads or edits one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.networks import FinderOptions

if TYPE_CHECKING:
    from faceswap.cli.command import Run
    from faceswap.faces.base import Detector
    from faceswap.media.reader import VideoReader


@dataclass(frozen=True, slots=True)
class ClipIndex:
    """A clip, and the settings of `convert` that decide where its index lies and how faces are found.

    Where nothing is said about how, the index that is there is meant, whatever found its faces.
    """

    clip: Annotated[Path, typer.Argument(metavar="INPUT", help="A clip.")]
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="What `convert` will write: the index lies in .faceswap/ beside it."),
    ] = None
    detector: Annotated[
        str | None,
        typer.Option(
            help="What finds faces, as for `convert`; default: as in the index that is there, else centerface."
        ),
    ] = None
    landmarks: Annotated[str | None, typer.Option(help="What places points on faces, as for `convert`.")] = None
    refine: Annotated[int | None, typer.Option(help="As for `convert`: crops averaged for each face [1].")] = None
    min_face: Annotated[int | None, typer.Option(help="Ignore faces smaller than this, px [24].", min=8)] = None
    video_stream: Annotated[
        int | None, typer.Option(help="Which of several video streams, from 0; default: the best.", min=0)
    ] = None

    @property
    def is_any(self) -> bool:
        """True when nothing is said about how faces are found."""
        return (self.detector, self.landmarks, self.refine, self.min_face) == (None, None, None, None)

    @property
    def min_face_px(self) -> int:
        """The smallest face that counts, px."""
        return 24 if self.min_face is None else self.min_face

    @property
    def target(self) -> Path:
        """What `convert` will write."""
        from faceswap.media.encode_plan import default_output

        return self.output or default_output(self.clip, "_swapped")

    def reader(self) -> VideoReader:
        """Open the clip."""
        from faceswap.media.reader import VideoReader

        return VideoReader(self.clip, self.video_stream)

    def networks(self, run: Run) -> Detector:
        """Return what finds the faces if they have to be found."""
        refine = 1 if self.refine is None else self.refine
        return FinderOptions(self.detector or "centerface", self.landmarks, refine).make(run.device)
