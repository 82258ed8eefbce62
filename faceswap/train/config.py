"""Everything a training run can be told, as it stands in a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from faceswap.config import Settings, parse_duration
from faceswap.errors import UsageError
from faceswap.models.spec import CropSettings, NetworkSpec


class AugmentSettings(Settings):
    """How training pictures are varied; 0 turns a kind off."""

    rotation_degrees: float = Field(8.0, ge=0, le=45)
    scale: float = Field(0.06, ge=0, le=0.3)
    """Share by which the face may be larger or smaller."""
    shift: float = Field(0.04, ge=0, le=0.2)
    """Share of the patch by which the face may be moved."""
    flip: float = Field(0.0, ge=0, le=1)
    """Probability of mirroring; off by default, since faces are not symmetric."""
    warp: float = Field(0.05, ge=0, le=0.2)
    """Strength of the elastic warp of the input, in patch sides; the network learns to undo it."""
    warp_until: float = Field(0.75, ge=0, le=1)
    """Part of the run with warp; the rest sharpens."""
    light: float = Field(0.15, ge=0, le=1)
    """Strength of exposure and contrast changes, the same for input and truth: light is carried over, not removed."""
    tint: float = Field(0.05, ge=0, le=1)
    """Strength of colour-balance changes, likewise."""
    exchange: float = Field(0.5, ge=0, le=1)
    """Probability that a face gets the colours of a face of another identity, input and truth alike: at conversion the
    network meets the other's light, and should give it back."""
    blur: float = Field(0.0, ge=0, le=1)
    """Probability that the input is blurred; the truth stays sharp."""
    compression: float = Field(0.0, ge=0, le=1)
    """Probability that the input has the errors of strong compression; the truth has not."""
    obstacles: float = Field(0.0, ge=0, le=1)
    """Probability that something stands before the face in the input. The truth stays, its mask leaves the thing out: the
    network learns what is behind, and that things stay in front."""
    balance: float = Field(0.5, ge=0, le=1)
    """How much oftener faces of rare poses and of small clips are drawn: 0 = all alike."""


class LossSettings(Settings):
    """Weights of the loss terms."""

    dssim: float = Field(1.0, ge=0)
    """Structural dissimilarity at full size."""
    dssim_half: float = Field(0.5, ge=0)
    """The same at half size."""
    l1: float = Field(1.0, ge=0)
    mask: float = Field(0.3, ge=0)
    outside: float = Field(0.1, ge=0, le=1)
    """Weight of what lies outside the face; inside it is 1."""


class TrainConfig(Settings):
    """One training run."""

    network: NetworkSpec
    crop: CropSettings = CropSettings()
    augment: AugmentSettings = AugmentSettings()
    loss: LossSettings = LossSettings()
    batch: int = Field(16, ge=1, le=512)
    """Faces of each identity in a step."""
    learning_rate: float = Field(5e-4, gt=0, le=0.1)
    weight_decay: float = Field(1e-3, ge=0, le=1)
    warm_up: int = Field(50, ge=0)
    """Steps over which the learning rate rises."""
    decay_from: float = Field(0.5, ge=0, le=1)
    """Part of the run after which the learning rate falls to a twentieth, on a cosine."""
    ema_decay: float = Field(0.995, ge=0, lt=1)
    steps: int | None = Field(None, ge=1)
    """Stop after this many steps in all."""
    budget: str | None = None
    """Stop after this much training time in all, e.g. "10m"."""
    checkpoint_every: int = Field(500, ge=1)
    """In steps."""
    keep_checkpoints: int = Field(3, ge=1)
    preview_every: int = Field(250, ge=1)
    """In steps."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    seed: int = Field(0, ge=0)

    @field_validator("budget")
    @classmethod
    def _is_duration(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_duration(value)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return value

    @property
    def budget_seconds(self) -> float | None:
        return parse_duration(self.budget) if self.budget else None
