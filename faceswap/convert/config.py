"""Everything a conversion can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from faceswap.convert.face_settings import FaceSettings, Override, as_words, comma_list
from faceswap.convert.range import FrameChoice
from faceswap.media.encode_plan import EncodeSettings
from faceswap.provenance.label import LabelWish, Place

DEFAULT_CODEC = "libx264"
CASTING_SETTINGS = {"faces", "track", "person", "map", "min_cosine"}
"""Settings that decide who becomes whom, and nothing else."""
Deliverable = Literal["clip", "overlay", "matte", "raw", "otio"]


class ConvertConfig(FaceSettings):
    """Settings of one conversion: those that act on each face, and those of the whole job."""

    faces: Literal["main", "all", "auto"] | None = None
    """Who is swapped: "main" = in each shot the person who fills most of the picture; "all" = every face found; "auto" =
    whoever the model takes for one of its other identities. None = "auto" where several people are seen at once and the
    model can tell them apart, otherwise "main"."""
    track: str | None = None
    """Instead: numbers of tracks, like "3,7-9" (`faceswap index show`)."""
    person: tuple[str, ...] = ()
    """Instead: pictures of the person, "REF.jpg" or, for `map`, "name=REF.jpg"; needs an identity encoder."""
    map: str | None = None
    """Instead: who becomes whom, like "alice=data-tng,track:3=picard"; left a name given to tracks by hand, a name of
    `person`, an identity of a model (whoever it takes for that), or a track; right an identity, "2:picard" = that of the
    second model."""
    min_cosine: float = Field(0.35, ge=-1, le=1)
    """How alike a track and the pictures of `person` must be."""
    mask: str | None = None
    """Hand-painted masks: a folder of PNG files named by their frame's number, or one PNG for all frames."""
    min_face_px: int = Field(24, ge=8)
    """Smaller faces (larger side of the box) stay as they are."""
    ffmpeg_filter: str | None = None
    """FFmpeg filters for the whole picture before anything else, like "bwdif"; None = the picture as it is."""
    codec: str | None = None
    """Encoder of the clip: h264, h265, av1, prores, prores4444, dnxhr, ffv1, mjpeg, or a name of FFmpeg's; png, tiff or exr
    for pictures. None = h264, or with `copy_untouched` the one that makes what the source is."""
    crf: float | None = Field(None, ge=0, le=63)
    """Constant quality on the encoder's own scale; None = its default."""
    preset: str | None = None
    """Speed: a word of x264's for every encoder that has speeds, or one of the encoder's own."""
    profile: str | None = None
    """Flavour of ProRes (proxy lt 422 hq 4444 4444xq) or DNxHR (lb sq hq hqx 444)."""
    pix_fmt: str | None = None
    """None = the source's own, or the nearest the encoder takes."""
    interlaced: Literal["auto", "tff", "bff", "progressive"] = "auto"
    """Which field is first; "auto" = as the clip says. "progressive": frames are swapped as a whole and stay flagged as they
    are, for film in interlaced streams (whose fields show the same moment) that is too grainy to be recognised."""
    deliver: tuple[Deliverable, ...] = ("clip",)
    """What is written: the finished "clip", the premultiplied "overlay", the "matte", the "raw" network output, and an
    "otio" timeline of the shots."""
    copy_untouched: bool = False
    """Copy the source's packets where no face is swapped, encode only the rest."""
    decode: Literal["cpu", "gpu"] = "cpu"
    """Where the clip is decoded; "gpu" = on the NVIDIA GPU, as far as it knows the codec."""
    video_stream: int | None = Field(None, ge=0)
    """Which of several video streams is converted, from 0, cover pictures not counted; None = FFmpeg's best."""
    watermark: Literal["auto", "frame", "face"] = "auto"
    """What of a swapped frame carries the watermark: all of it, or the face alone; "auto" = the face where the output is
    lossless or for mastering, so that every other sample stays as it is."""
    label: str | None = None
    """Visible label: a text, "eu-ai" or "cn-aigc"; None = none."""
    label_place: Place = "bottom-left"
    """The corner it stands in."""
    label_seconds: float | None = Field(None, gt=0)
    """How long it is shown from the start; None = always."""
    morph: float = Field(1.0, ge=0, le=1)
    """Share of the source's looks, 0 = the target's; below 1 for `amp` networks only."""
    figures: bool = True
    """Measure the result in a few places and say how good it is."""
    batch: int = Field(8, ge=1, le=64)
    """Faces that go through the network together; fewer where the GPU's memory does not hold them."""
    runner: str = "auto"
    """What runs the network: "auto" = the quickest by a short measurement; torch, onnxruntime (CPU), cuda-graph (CUDA), compile,
    each also with its arithmetic, like "torch-fp32"."""

    shots: str | None = None
    """Numbers of the shots to swap, from 1, like "3,7-9"; None = all. The rest of the clip stays as it is."""
    start: str | None = None
    """First moment to swap: timecode, time, frame or tick (docs/conventions.md); None = from the start."""
    end: str | None = None
    """The moment after the last to swap."""
    trim: bool = False
    """The output holds only the span from the first to the last chosen frame."""

    override: tuple[Override, ...] = ()
    """Settings for some shots, tracks or stretches of time; later ones win."""

    @field_validator("track", "shots", "start", "end", mode="before")
    @classmethod
    def _as_words(cls, value: object) -> object:
        return as_words(value)

    @field_validator("deliver", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return comma_list(value)

    @field_validator("person", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("deliver")
    @classmethod
    def _has_pictures(cls, value: tuple[Deliverable, ...]) -> tuple[Deliverable, ...]:
        if not set(value) - {"otio"}:
            raise ValueError("a timeline needs something to show; add clip, overlay, matte or raw")
        return value

    @property
    def of_faces(self) -> tuple[FaceSettings, ...]:
        """Settings that some face may have: those of the whole job, then those with each override alone."""
        base = self.of_each_face()
        return (base, *(base.model_copy(update=override.values) for override in self.override))

    @property
    def choice(self) -> FrameChoice:
        """The frames that `shots`, `start` and `end` ask for.

        Raises:
            UsageError: words that are not understood.
        """
        return FrameChoice.parse(self.shots, self.start, self.end)

    @property
    def label_wish(self) -> LabelWish | None:
        """What is to be written into the picture."""
        return None if self.label is None else LabelWish(self.label, self.label_place, self.label_seconds)

    @property
    def encoder(self) -> str:
        """Name of the encoder, once `codec` is settled."""
        return self.codec or DEFAULT_CODEC

    @property
    def encode(self) -> EncodeSettings:
        """How the clip is encoded, once `codec` is settled."""
        return EncodeSettings(self.encoder, self.crf, self.preset, self.pix_fmt, self.profile)
