"""Everything a conversion can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from faceswap.config import Settings
from faceswap.convert.range import FrameChoice
from faceswap.media.encode_plan import EncodeSettings


class ConvertConfig(Settings):
    """Settings of one conversion."""

    faces: Literal["main", "all"] = "main"
    """"main" = in each shot the track that fills most of the picture; "all" = every face found."""
    match: Literal["mkl", "none"] = "mkl"
    """Colour match of the swapped face to the footage."""
    erode: float = Field(0.0, ge=0, le=0.3)
    """How much the mask is shrunk, in sides of the patch."""
    feather: float = Field(0.08, ge=0, le=0.5)
    """Width of the mask's soft edge, in sides of the patch."""
    min_face_px: int = Field(24, ge=8)
    """Smaller faces (larger side of the box) stay as they are."""
    ffmpeg_filter: str | None = None
    """FFmpeg filters for the whole picture before anything else, like "bwdif"; None = the picture as it is."""
    codec: str = "libx264"
    crf: float | None = Field(None, ge=0, le=63)
    preset: str | None = None
    pix_fmt: str | None = None
    """None = the source's own, or the nearest the encoder takes."""
    batch: int = Field(8, ge=1, le=64)
    """Faces that go through the network together."""

    shots: str | None = None
    """Numbers of the shots to swap, from 1, like "3,7-9"; None = all. The rest of the clip stays as it is."""
    start: str | None = None
    """First moment to swap: timecode, time, frame or tick (docs/conventions.md); None = from the start."""
    end: str | None = None
    """The moment after the last to swap."""
    trim: bool = False
    """The output holds only the span from the first to the last chosen frame."""

    @property
    def choice(self) -> FrameChoice:
        """The frames that `shots`, `start` and `end` ask for.

        Raises:
            UsageError: words that are not understood.
        """
        return FrameChoice.parse(self.shots, self.start, self.end)

    @property
    def encode(self) -> EncodeSettings:
        return EncodeSettings(self.codec, self.crf, self.preset, self.pix_fmt)
