"""What a conversion can write besides the finished clip, each made from the same rendered frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceswap.convert.engine import Rendered
from faceswap.convert.plan import ConvertPlan
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.probe import ClipInfo
from faceswap.types import Frame


@dataclass(frozen=True, slots=True)
class VideoProduct:
    """A video file made of one picture for each frame of the clip."""

    name: str
    output: Path
    info: ClipInfo
    """Of the pictures."""
    encode: EncodePlan
    picture: Callable[[Rendered], Frame]
    copies_streams: bool
    """The source's other streams go into it too."""


Product = VideoProduct


def products_of(plan: ConvertPlan) -> list[Product]:
    """Return what a conversion writes, in order."""
    return [VideoProduct("clip", plan.output, plan.info, plan.encode, _clip_picture, copies_streams=True)]


def _clip_picture(rendered: Rendered) -> Frame:
    return rendered.frame
