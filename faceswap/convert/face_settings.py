"""Settings that act on each face for itself while it is rendered: for the whole job, a shot, a track or a stretch of time."""

from __future__ import annotations

import datetime
from typing import Any, Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from faceswap.config import Settings
from faceswap.convert.shares import OpacitySetting, SidesSetting, share_words
from faceswap.masks.edges import Sides
from faceswap.masks.opacity import Opacity
from faceswap.masks.regions import Region

NOTHING = "none"
"""Word for an empty list or no file, where a setting of the whole job is to be taken back."""


class FaceSettings(Settings):
    """What may differ from face to face. A setting that is added here can be overridden and compared in a preview."""

    match: Literal["mkl", "reinhard", "mean", "histogram", "poisson", "none"] = "mkl"
    """Colour match of the swapped face to the footage: "mkl" = mean and covariance, "reinhard" = mean and spread of each
    channel, "mean" = the mean alone, "histogram" = the distribution of each channel, "poisson" = the colours along the edge
    of the mask carried inwards."""
    match_over: Literal["sliding", "shot"] = "sliding"
    """Over what time the colours are gathered: "sliding" = about the last half second, "shot" = the whole shot, looked at
    before it is rendered."""
    passes: int = Field(1, ge=1, le=3)
    """How often the face goes through the network: 2 = what comes out goes in again, nearer to the source's likeness."""
    restore: str | None = None
    """ONNX file of a network that draws fine detail (of GFPGAN, CodeFormer, RestoreFormer, GPEN); "none" = no network."""
    restore_strength: float = Field(0.6, ge=0, le=1)
    """How much of what that network draws is taken."""
    restore_faithfulness: float = Field(0.7, ge=0, le=1)
    """For networks that let one choose (CodeFormer's w): 1 = near to what they see, 0 = as they think a face looks."""
    light: float = Field(1.0, ge=0, le=1)
    """How far the light across the face is the footage's own: 0 = as the network gave it, 1 = all of it. Light has a colour:
    where `match` is "none" none of it is taken."""
    sharpness: float = Field(1.0, ge=0, le=1)
    """How far the face is made as sharp as the footage, sharper or softer: 0 = as the network gave it."""
    grain: Literal["match", "off"] = "match"
    """"match": the footage's grain is laid over the swapped face."""
    erode: SidesSetting = Sides()
    """How much the mask is shrunk, in sides of the patch: 0.02, or "top=0.05,bottom=0" with the sides of the upright face;
    less than 0 = it grows, within the patch."""
    feather: float = Field(0.08, ge=0, le=0.5)
    """Width of the mask's soft edge, in sides of the patch."""
    refine_mask: float = Field(0.0, ge=0, le=0.2)
    """How far the mask's edge may move to edges of the footage (hairlines, collars), in sides of the patch; 0 = not at all."""
    mask_steady: float = Field(0.6, ge=0, le=0.9)
    """How far small changes of the mask along a track are averaged out; 0 = not at all. Large ones are followed at once."""
    opacity: OpacitySetting = Opacity()
    """How much of the swapped face is seen: 0.8, or "mouth=0.5,eyes=0.7" for parts of it, "0.9,mouth=0.5" for both."""
    keep: tuple[Region, ...] = ()
    """Parts of the face that stay the actor's own: eyes, mouth, brows, nose, teeth; "none" = none."""
    occlusion: Literal["auto", "off"] = "auto"
    """"auto": hands, hair, microphones in front of the face are found by comparing it with the swapped face and with how this
    person usually looks, and stay in front."""
    segmenter: str | None = None
    """ONNX file of a network that says which pixels are face: XSeg's kind or face parsing's (BiSeNet); "none" = no network."""
    glasses: bool = True
    """With a face parsing segmenter: glasses are swapped with the face; False = the actor's own stay."""
    mask_use: Literal["multiply", "replace"] = "multiply"
    """"multiply": only what is white in the painted mask too is swapped; "replace": it is the mask."""

    @field_validator("keep", mode="before")
    @classmethod
    def _split_parts(cls, value: object) -> object:
        return () if value in (NOTHING, [NOTHING], "") else comma_list(value)

    @field_validator("segmenter", "restore", mode="before")
    @classmethod
    def _no_network(cls, value: object) -> object:
        return None if value == NOTHING else value

    @property
    def remembers(self) -> bool:
        """True when a face's picture depends on the frames before it."""
        by_picture = self.match != "none" or self.sharpness > 0 or self.grain != "off"
        return by_picture or self.occlusion == "auto" or self.mask_steady > 0

    @property
    def light_taken(self) -> float:
        """How much of the footage's light is taken: its coarsest band would bring the colours that "none" keeps away."""
        return 0.0 if self.match == "none" else self.light

    @property
    def parts(self) -> tuple[Region, ...]:
        """Parts of the face that are treated by themselves: their landmarks have to be there, and to be steady."""
        return tuple(dict.fromkeys((*self.keep, *self.opacity.regions)))

    def of_each_face(self) -> FaceSettings:
        """Return these settings alone, without those of the whole job."""
        return FaceSettings.model_validate({name: getattr(self, name) for name in FaceSettings.model_fields})


class Override(FaceSettings):
    """Settings for some faces; all conditions that are given must hold."""

    shots: str | None = None
    """Numbers of shots, from 1, like "3,7-9"."""
    tracks: str | None = None
    """Numbers of tracks, like "2,5"."""
    start: str | None = None
    """First moment: timecode, time, frame or tick (docs/conventions.md)."""
    end: str | None = None
    """The moment after the last."""

    @field_validator("shots", "tracks", "start", "end", mode="before")
    @classmethod
    def _written(cls, value: object) -> object:
        return as_words(value)

    @model_validator(mode="after")
    def _says_something(self) -> Override:
        if not self.values:
            raise ValueError("it changes no setting; add one, like feather = 0.1")
        return self

    @model_serializer(mode="wrap")
    def _what_is_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep only what was written: a value that equals the default differs from one that is not given."""
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}

    @property
    def values(self) -> dict[str, Any]:
        """The settings that it changes."""
        return {name: getattr(self, name) for name in FaceSettings.model_fields if name in self.model_fields_set}

    @property
    def has_place(self) -> bool:
        """False when it holds for every face."""
        return any(value is not None for value in (self.shots, self.tracks, self.start, self.end))

    @property
    def words(self) -> str:
        """The override in words: "shots 3: feather 0.1, keep eyes+mouth"."""
        places = (("shots", self.shots), ("tracks", self.tracks), ("from", self.start), ("to", self.end))
        where = ", ".join(f"{name} {value}" for name, value in places if value is not None) or "everywhere"
        return f"{where}: {', '.join(f'{name} {in_words(value)}' for name, value in self.values.items())}"


def in_words(value: object) -> str:
    """Return a setting's value as it is written in `preview --grid`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Sides, Opacity)):
        return share_words(value)
    return "+".join(value) or NOTHING if isinstance(value, tuple) else NOTHING if value is None else str(value)


def as_words(value: object) -> object:
    """Return what TOML may hold where a text is meant: 3, [3, 7], or a time of day like 00:01:02."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number or isinstance(value, datetime.time) else value


def comma_list(value: object) -> object:
    """Return a comma list, as the command line gives it, as a tuple; each thing once, in the order asked for."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    return tuple(dict.fromkeys(names)) if isinstance(names, (list, tuple)) else names


def choices_of(name: str) -> tuple[str, ...]:
    """Return the words that a setting can be; empty for numbers, lists and files."""
    annotation = FaceSettings.model_fields[name].annotation
    if annotation is bool:
        return ("true", "false")
    words = get_args(annotation)
    return words if words and all(isinstance(word, str) for word in words) else ()
