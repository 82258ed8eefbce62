"""What a swap model is, as data: the header of its checkpoint."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from faceswap.config import Settings
from faceswap.types import CropSpec


class CropSettings(Settings):
    """A crop as users write it; `to_spec` gives the internal value."""

    coverage: Literal["face", "whole_face", "head"] = "face"
    margin: float = Field(0.0, ge=0, le=0.5)
    template: str = "five-1"

    def to_spec(self, size: int) -> CropSpec:
        """Return the crop at a size in px."""
        return CropSpec(size=size, coverage=self.coverage, margin=self.margin, template=self.template)


class NetworkSpec(Settings):
    """A network by its registered name, with its options."""

    name: str = "df"
    size: int = Field(64, ge=64, le=640)
    """Side of input and output, px."""
    options: str = ""
    """Letters of DeepFaceLab's architectures: u = pixel norm after the encoder, d = last doubling by pixel shuffle."""
    encoder_dim: int = Field(64, ge=8, le=256)
    bottleneck_dim: int = Field(256, ge=32, le=2048)
    decoder_dim: int = Field(64, ge=8, le=256)
    mask_dim: int = Field(22, ge=4, le=128)


class SwapSpec(Settings):
    """Everything needed to rebuild a model, except its weights."""

    network: NetworkSpec
    crop: CropSettings
    identities: tuple[str, ...] = Field(min_length=1)
    """One decoder each; the first is the source of a two-person model."""

    @property
    def crop_spec(self) -> CropSpec:
        """The crop the network takes and gives."""
        return self.crop.to_spec(self.network.size)
