"""Everything a training run can be told, as it stands in a recipe."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

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
    """Weights of the loss terms; 0 turns a term off."""

    dssim: float = Field(1.0, ge=0)
    """Structural dissimilarity at full size."""
    dssim_half: float = Field(0.5, ge=0)
    """The same at half size."""
    l1: float = Field(1.0, ge=0)
    mse: float = Field(0.0, ge=0)
    mask: float = Field(0.3, ge=0)
    outside: float = Field(0.1, ge=0, le=1)
    """Weight of what lies outside the face; inside it is 1."""
    eyes: float = Field(0.0, ge=0, le=40)
    """Weight that eyes get on top of the face's."""
    mouth: float = Field(0.0, ge=0, le=40)
    """The same for the mouth."""
    frequency: float = Field(0.0, ge=0)
    """Focal frequency loss: the frequencies that are worst count the most."""
    identity: float = Field(0.0, ge=0)
    """1 - cosine of what `encoder` says of the rebuilt and of the real face."""
    encoder: str = ""
    """Identity encoder of 112 px: TorchScript (.pt), `torch.export` (.pt2) or ONNX (.onnx)."""


class StageSettings(Settings):
    """A part of a run. What it does not set is the run's own."""

    name: str = ""
    until: float | str = 1.0
    """When it ends: at a share of the run (0.5), after steps of its own ("2000 steps", or "30% more" than were done before
    it), or at a "plateau" of the held-out faces."""
    size: int | None = Field(None, ge=64, le=640)
    """Side of input and output while it lasts, px: coarse stages are quick. The last one has the network's size."""
    warp: bool = True
    learning_rate: float | None = Field(None, gt=0, le=0.1)
    warm_up: int | None = Field(None, ge=0)
    """In steps from the beginning of the stage."""
    decay_from: float | None = Field(None, ge=0, le=1)
    """Share of the stage after which its learning rate falls to a twentieth; without it the run's share counts."""
    freeze: tuple[str, ...] = ()
    """Parts that do not change: "encoder", "bottleneck", "decoders.0" ..."""
    reset: tuple[str, ...] = ()
    """Parts that begin anew."""
    gan: float = Field(0.0, ge=0, le=5)
    """Weight of a discriminator's opinion. The stage starts from the averaged weights."""
    pairs: float = Field(0.0, ge=0, le=1)
    """Share of the inputs whose face is the model's own swap to another identity, with the real frame as truth: what the
    network meets when it converts."""

    @field_validator("until")
    @classmethod
    def _is_an_end(cls, value: float | str) -> float | str:
        if isinstance(value, str) and not re.fullmatch(r"plateau|[1-9]\d* steps|[1-9]\d*% more", value):
            raise ValueError('write a share like 0.5, "2000 steps", "30% more" or "plateau"')
        if not isinstance(value, str) and not 0 < value <= 1:
            raise ValueError("a share of the run lies above 0 and up to 1")
        return value


class TrainConfig(Settings):
    """One training run."""

    network: NetworkSpec
    crop: CropSettings = CropSettings()
    augment: AugmentSettings = AugmentSettings()
    loss: LossSettings = LossSettings()
    stage: tuple[StageSettings, ...] = ()
    """Without any: with warp until `augment.warp_until`, then without."""
    batch: int = Field(16, ge=0, le=512)
    """Faces of each identity in a step, shared by all processes; 0 or "auto" = as many as memory holds."""
    accumulate: int = Field(1, ge=1, le=512)
    """Parts in which a batch is computed, one after the other: less memory, the same step."""
    save_memory: bool = False
    """Compute the network's inner values again for the gradients instead of keeping them: less memory, a third slower."""
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
    until: Literal["plateau"] | None = None
    """Stop when held-out faces get no better, after a finish without warp; `steps` and `budget` still count."""
    init_from: str | None = None
    """Model folder whose weights a new model starts from, as far as they fit."""
    init_reset: tuple[str, ...] = ("bottleneck",)
    """Parts that are not taken from it."""
    checkpoint_every: int = Field(500, ge=1)
    """In steps."""
    keep_checkpoints: int = Field(3, ge=1)
    preview_every: int = Field(250, ge=1)
    """In steps; held-out faces are scored as often."""
    timelapse: bool = False
    """Keep every preview, in timelapse/."""
    tensorboard: bool = False
    """Write curves and previews for TensorBoard, in tensorboard/ (extra `track`)."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    engine: Literal["auto", "eager", "compile", "graph"] = "auto"
    """How a step is computed; "auto" measures and takes the quickest."""
    seed: int = Field(0, ge=0)

    @field_validator("batch", mode="before")
    @classmethod
    def _auto_is_zero(cls, value: object) -> object:
        return 0 if value == "auto" else value

    @model_validator(mode="after")
    def _is_meant(self) -> TrainConfig:
        if self.loss.identity and not self.loss.encoder:
            raise ValueError("loss.identity needs loss.encoder, the file of an identity encoder")
        if self.stage and self.stage[-1].size not in (None, self.network.size):
            raise ValueError(f"the last stage has to have the network's size, {self.network.size} px")
        return self

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

    @property
    def regions(self) -> tuple[str, ...]:
        """Parts of the face that have a weight of their own."""
        return tuple(region for region in ("eyes", "mouth") if getattr(self.loss, region))
