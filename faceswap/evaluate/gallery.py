"""The worst frames as pictures: the face before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceswap import geometry
from faceswap.evaluate.pairs import paired_frames
from faceswap.evaluate.run import Evaluation
from faceswap.evaluate.summary import frame_figures
from faceswap.evaluate.table import FIGURES
from faceswap.faces.align import patch_from_frame
from faceswap.faces.views import render_view
from faceswap.media.reader import VideoReader
from faceswap.pages.page import jpeg_source
from faceswap.types import CropSpec, Face, Frame

_SIDE = 320
_MAX_PICTURES = 24


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """One pair of pictures with what is wrong."""

    frame: int
    seconds: float
    part: str
    complaint: str
    before: str
    after: str
    """JPEG as data URIs."""


def worst_frames(evaluation: Evaluation) -> list[WorstFrame]:
    """Return the pictures of each part's worst frames, at most 24, by another look at both clips."""
    wanted = [(frame, part) for part in evaluation.parts for frame in part.worst][:_MAX_PICTURES]
    pairs = _frames(evaluation.input, evaluation.output, sorted({frame for frame, _ in wanted}))
    rows = {(row.frame, row.track): row for row in evaluation.rows}
    result = []
    for number, part in wanted:
        before, after = pairs[number]
        face = next(face for face in evaluation.index.faces_at(number) if face.track == part.track)
        row = rows[(number, part.track)]
        bad = sorted(frame_figures(row).items(), key=lambda item: -FIGURES[item[0]].badness(item[1]))
        complaint = ", ".join(f"{FIGURES[k].title} {v:.2f}" for k, v in bad[:3] if FIGURES[k].badness(v) > 0)
        pictures = (face_picture(before, face, _SIDE), face_picture(after, face, _SIDE))
        result.append(WorstFrame(number, row.seconds, part.name, complaint, *pictures))
    return result


def _frames(before: Path, after: Path, numbers: Sequence[int]) -> dict[int, tuple[Frame, Frame]]:
    found: dict[int, tuple[Frame, Frame]] = {}
    if not numbers:
        return found
    chosen = set(numbers)
    for old, new in paired_frames(VideoReader(before), VideoReader(after)):
        if old.index in chosen and new is not None:
            found[old.index] = (old, new)
        if old.index >= numbers[-1]:
            break
    return found


def face_picture(frame: Frame, face: Face, side: int) -> str:
    """Return a square picture of a face and what is around it, not turned upright, as a JPEG data URI."""
    crop = CropSpec(side, "head")
    matrix = patch_from_frame(face, crop)
    middle = geometry.apply(geometry.invert(matrix), geometry.corners_of((side, side))).mean(axis=0)
    scale = geometry.scale_of(matrix)
    view = geometry.compose(geometry.scaling(scale), geometry.translation(*(side / 2 / scale - middle)))
    return jpeg_source(render_view(frame, view, (side, side)), quality=88)
