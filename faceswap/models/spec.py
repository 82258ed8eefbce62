"""What a swap model is, as data: the header of its checkpoint."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

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
    """A network by its registered name, with its options. Defaults are DeepFaceLab's."""

    name: str = "df"
    size: int = Field(64, ge=64, le=640)
    """Side of input and output, px; which are possible depends on the network."""
    options: str = ""
    """Letters of DeepFaceLab's architectures, for df and liae (`options.LETTERS`)."""
    encoder_dim: int = Field(64, ge=8, le=256)
    bottleneck_dim: int = Field(256, ge=32, le=2048)
    """What DeepFaceLab calls ae_dims."""
    decoder_dim: int = Field(64, ge=8, le=256)
    mask_dim: int = Field(22, ge=4, le=128)
    """Of the branch that gives the mask; left out: a third of decoder_dim, made even."""
    morph_dim: int = Field(1024, ge=32, le=4096)
    """amp only: channels that identities share out among each other (DeepFaceLab's inter_dims)."""
    morph: float = Field(0.5, ge=0.1, le=0.9)
    """amp only: share of them that is an identity's own while training."""

    @model_validator(mode="before")
    @classmethod
    def _mask_follows_decoder(cls, values: Any) -> Any:
        if isinstance(values, dict) and "mask_dim" not in values and isinstance(values.get("decoder_dim"), int):
            third = values["decoder_dim"] // 3
            return {**values, "mask_dim": max(4, third + third % 2)}
        return values


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
