"""What a conversion says of its own result: the cheap figures of `faceswap evaluate`, from a few runs of frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from faceswap.convert.casting import Casting
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.run import Made
from faceswap.errors import FaceswapError
from faceswap.evaluate.sampled import sampled_figures
from faceswap.evaluate.summary import FaceFigures
from faceswap.evaluate.table import CHEAP, FIGURES, Verdict, judged
from faceswap.faces.base import Detector
from faceswap.faces.index import FaceIndex
from faceswap.media.reader import VideoReader
from faceswap.media.sequence import PICTURES
from faceswap.progress import OnProgress

_CONVERTED_STREAM = 0


@dataclass(frozen=True, slots=True)
class PartFigures:
    """Figures of one swapped track, or of all."""

    shot: int | None
    """From 1; None = all."""
    track: int | None
    verdict: Verdict
    values: Mapping[str, float]
    """By key of `evaluate.table.FIGURES`; what could not be measured is left out."""

    @property
    def complaint(self) -> str:
        """What is outside the good range, the worst first, in words; empty = nothing."""
        bad = sorted(self.values.items(), key=lambda item: -FIGURES[item[0]].badness(item[1]))
        return ", ".join(f"{FIGURES[k].title} {v:.2f}" for k, v in bad if FIGURES[k].badness(v) > 0)


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """Figures of a conversion's result."""

    whole: PartFigures
    parts: tuple[PartFigures, ...]
    num_faces: int
    """Looked at."""

    @property
    def poor(self) -> tuple[PartFigures, ...]:
        """Tracks whose verdict is poor."""
        return tuple(part for part in self.parts if part.verdict == "poor")


def measure_result(
    plan: ConvertPlan, index: FaceIndex, casting: Casting, made: Made, detector: Detector, on_progress: OnProgress
) -> ClipFigures | None:
    """Return the figures of a finished clip; None for pictures, other deliverables, or when nothing can be looked at."""
    if "clip" not in plan.config.deliver or plan.encode.muxer == PICTURES or not casting.roles:
        return None
    before = VideoReader(plan.picture, plan.picture_stream)
    try:
        after = VideoReader(plan.output, _CONVERTED_STREAM)
        found = sampled_figures(
            before, after, index, set(casting.roles), detector, frames=made.frames, on_progress=on_progress
        )
    except FaceswapError:
        return None  # the clip is finished and checked: figures are no reason to fail it
    if found is None:
        return None
    parts, whole = found
    return ClipFigures(_cheap(whole), tuple(_cheap(part) for part in parts), whole.num_frames)


def _cheap(part: FaceFigures) -> PartFigures:
    values = {key: round(part.values[key], 4) for key in CHEAP if math.isfinite(part.values[key])}
    is_part = part.shot >= 0
    return PartFigures(part.shot + 1 if is_part else None, part.track if is_part else None, judged(values), values)
