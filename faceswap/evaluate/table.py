"""Every figure with its meaning and what counts as good."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "fair", "poor", "unknown"]
ORDER: tuple[Verdict, ...] = ("unknown", "good", "fair", "poor")
"""From best known to worst."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    key: str
    title: str
    meaning: str
    good: tuple[float, float]
    """Both ends included."""
    fair: tuple[float, float]
    """What is outside is poor."""
    perfect: float
    """Of an untouched copy."""
    digits: int = 2
    is_judged: bool = True
    """False: it is told, but makes no verdict (it depends on how faces differ, or on the encoder)."""

    def verdict(self, value: float | None) -> Verdict:
        """Return how good a value is."""
        if value is None or math.isnan(value):
            return "unknown"
        if self.good[0] <= value <= self.good[1]:
            return "good"
        return "fair" if self.fair[0] <= value <= self.fair[1] else "poor"

    def badness(self, value: float | None) -> float:
        """Return how far a value is outside the good range, in widths of the fair range beyond it; 0 = good."""
        if value is None or math.isnan(value):
            return 0.0
        below = (self.good[0] - value) / max(self.good[0] - self.fair[0], 1e-9)
        above = (value - self.good[1]) / max(self.fair[1] - self.good[1], 1e-9)
        return max(0.0, below, above)


_ANY = (-math.inf, math.inf)

FIGURES: dict[str, Figure] = {
    figure.key: figure
    for figure in (
        Figure(
            "seam_gradient",
            "seam gradient ratio",
            "change of brightness across the edge, result / input",
            (0.9, 1.1),
            (0.75, 1.3),
            1.0,
        ),
        Figure("seam_step", "seam step", "colour step the swap added at the edge, dE2000", (0, 1), (0, 3), 0.0),
        Figure(
            "skin_match", "skin match", "mean colour of the face, result against input, dE2000", (0, 2), (0, 5), 0.0
        ),
        Figure("skin_drift", "skin drift", "how the cast changes over a shot, Lab units", (0, 1), (0, 3), 0.0),
        Figure(
            "sharpness_skin",
            "sharpness, skin",
            "fine detail (0.15 to 0.4 cycles a px), result / input",
            (0.9, 1.1),
            (0.7, 1.4),
            1.0,
        ),
        Figure("sharpness_eyes", "sharpness, eyes", "the same at the eyes", (0.9, 1.1), (0.7, 1.4), 1.0),
        Figure("sharpness_mouth", "sharpness, mouth", "the same at the mouth", (0.9, 1.1), (0.7, 1.4), 1.0),
        Figure("grain", "grain ratio", "noise left inside the mask, relative to outside", (0.9, 1.1), (0.6, 1.6), 1.0),
        Figure("grain_size", "grain size", "coarse noise over fine noise, result / input", (0.8, 1.25), (0.5, 2), 1.0),
        Figure(
            "jitter",
            "landmark jitter",
            "shaking of the landmarks beyond the input's motion, result / input",
            (0, 1.05),
            (0, 1.5),
            1.0,
        ),
        Figure("jitter_px", "landmark jitter, px", "the same in px, result", _ANY, _ANY, 0.0, is_judged=False),
        Figure(
            "crop_jitter",
            "crop jitter",
            "shaking of the place where the face is laid in, px",
            (0, 0.5),
            (0, 1.5),
            0.0,
        ),
        Figure(
            "landmark_error",
            "landmark error",
            "distance of landmarks, % of the inter-ocular distance",
            (0, 6),
            (0, 12),
            0.0,
            1,
        ),
        Figure("pose_error", "pose error", "larger difference of yaw and pitch, degrees", (0, 2.5), (0, 6), 0.0),
        Figure("eye_motion", "eye motion", "correlation over time of how open the eyes are", (0.95, 1), (0.7, 1), 1.0),
        Figure(
            "mouth_motion", "mouth motion", "correlation over time of how open the mouth is", (0.95, 1), (0.8, 1), 1.0
        ),
        Figure(
            "warping",
            "paired warping error",
            "change along the input's own motion, result / input",
            (0, 1.05),
            (0, 1.3),
            1.0,
        ),
        Figure(
            "flicker", "flicker", "frame-to-frame noise added to the face's colour, Lab units", (0, 0.15), (0, 0.5), 0.0
        ),
        Figure(
            "shift_error",
            "shift error",
            "detail that does not move with the face, px (of the network)",
            (0, 0.1),
            (0, 0.3),
            0.0,
        ),
        Figure(
            "missed",
            "faces lost",
            "share of frames in which a detector finds the input's face but not the result's, %",
            (0, 0),
            (0, 2),
            0.0,
            1,
        ),
        Figure(
            "outside_psnr",
            "outside, PSNR",
            "the picture around the face, dB (inf = bit-exact)",
            _ANY,
            _ANY,
            math.inf,
            1,
            is_judged=False,
        ),
        Figure(
            "outside_max",
            "outside, largest",
            "largest difference of luma around the face, codes; 0 before encoding",
            _ANY,
            _ANY,
            0.0,
            0,
            is_judged=False,
        ),
        Figure(
            "identity",
            "identity",
            "likeness to the source's centroid, as a share of what real held-out frames reach",
            (0.9, math.inf),
            (0.7, math.inf),
            math.nan,
        ),
        Figure(
            "leakage",
            "leakage",
            "likeness to the untouched target, beyond that of strangers",
            (-math.inf, 0.1),
            (-math.inf, 0.3),
            math.nan,
        ),
        Figure(
            "identity_variance",
            "identity variance",
            "how the identity wanders over frames",
            (0, 0.003),
            (0, 0.01),
            math.nan,
            4,
        ),
    )
}
CHEAP = (
    "seam_gradient",
    "seam_step",
    "skin_match",
    "sharpness_skin",
    "sharpness_eyes",
    "crop_jitter",
    "jitter",
    "flicker",
    "warping",
)
"""What a conversion prints of its own result."""


def judged(values: dict[str, float]) -> Verdict:
    """Return the worst verdict of figures by key."""
    verdicts = [FIGURES[key].verdict(value) for key, value in values.items() if FIGURES[key].is_judged]
    return max(verdicts, key=ORDER.index, default="unknown")
