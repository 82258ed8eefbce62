"""An evaluation as plain values. Field by field: docs/formats/evaluation.md."""

from __future__ import annotations

import math
from typing import Any

from faceswap.evaluate.run import Evaluation
from faceswap.evaluate.summary import FaceFigures
from faceswap.evaluate.table import FIGURES

SCHEMA_VERSION = 1


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation ready for JSON; what could not be measured is null, bit-exact is the text "exact"."""
    return {
        "schema_version": SCHEMA_VERSION,
        "input": str(evaluation.input),
        "output": str(evaluation.output),
        "frames": evaluation.num_frames,
        "missing_frames": evaluation.num_missing,
        "untouched_tracks": list(evaluation.untouched_tracks),
        "verdict": evaluation.whole.verdict,
        "whole": _part(evaluation.whole),
        "parts": [_part(part) for part in evaluation.parts],
        "notes": list(evaluation.notes),
        "circumstances": evaluation.circumstances,
    }


def _part(part: FaceFigures) -> dict[str, Any]:
    return {
        "name": part.name,
        "shot": part.shot + 1 if part.shot >= 0 else None,
        "track": part.track if part.track >= 0 else None,
        "first_frame": part.frames[0],
        "last_frame": part.frames[1],
        "faces": part.num_frames,
        "verdict": part.verdict,
        "figures": {key: _number(value) for key, value in part.values.items()},
        "verdicts": {key: FIGURES[key].verdict(v) for key, v in part.values.items() if FIGURES[key].is_judged},
        "worst_frames": list(part.worst),
    }


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return "exact" if math.isinf(value) else round(value, 6)
