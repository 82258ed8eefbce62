"""Everything a conversion can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from faceswap.config import Settings
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
    codec: str = "libx264"
    crf: float | None = Field(None, ge=0, le=63)
    preset: str | None = None
    pix_fmt: str | None = None
    """None = the source's own, or the nearest the encoder takes."""
    video_stream: int | None = Field(None, ge=0)
    """Which of several video streams is converted, from 0, cover pictures not counted; None = FFmpeg's best."""
    interlaced: Literal["auto", "tff", "bff", "progressive"] = "auto"
    """Which field is first; "auto" = as the clip says. "progressive" = both fields show the same moment, whatever the clip
    says: frames are swapped as a whole, and stay flagged as they are."""
    copy_untouched: bool = False
    """Copy the source's packets where no face is swapped, encode only the rest."""
    batch: int = Field(8, ge=1, le=64)
    """Faces that go through the network together."""

    @property
    def encode(self) -> EncodeSettings:
        return EncodeSettings(self.codec, self.crf, self.preset, self.pix_fmt)
