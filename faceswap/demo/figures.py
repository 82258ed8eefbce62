"""Figures of the demo's result, measured on the written clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.convert.report import ConvertReport
from faceswap.evaluate.run import evaluate_clip
from faceswap.faces.registry import make_detector
from faceswap.figures.seam import delta_e_lab
from faceswap.provenance.verify import verify_clip


def demo_figures(converted: ConvertReport, source: Path) -> dict[str, float | str]:
    """Return the figures that the demo prints, by name.

    Args:
        source: the source's own clip, whose skin the result should have.
    """
    detector = make_detector()
    result = evaluate_clip(converted.input, converted.output, detector)
    android = evaluate_clip(source, source, detector, every=5)
    figures = result.whole.values
    skin = _mean_skin([row.lab_after for row in result.rows])
    distance = float(delta_e_lab(skin, _mean_skin([row.lab_before for row in android.rows])))
    marks = verify_clip(converted.output)
    return {
        "sharpness against the footage": f"{figures['sharpness_skin']:.2f} (1 = equal)",
        "colour step added at the seam": f"dE {figures['seam_step']:.1f}",
        "skin changed by": f"dE {figures['skin_match']:.1f}",
        "skin distance to the android": f"dE {distance:.1f}",
        "flicker added": f"{figures['flicker']:.2f} Lab units",
        "marked": f"{marks.verdict}: signed, container, SEI"
        if marks.manifest and marks.container and marks.sei
        else "no",
    }


def _mean_skin(labs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.mean(labs, axis=0)
