"""Figures of the demo's result, measured on the written clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap import masks
from faceswap.convert import blend
from faceswap.convert.report import ConvertReport
from faceswap.evaluate import metrics
from faceswap.faces.align import canonical_landmarks
from faceswap.faces.analyse import analyse
from faceswap.faces.registry import make_detector
from faceswap.media.reader import open_clip
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.verify import verify_clip
from faceswap.types import CropSpec

_EVERY = 5
_SIDE = 128


def demo_figures(converted: ConvertReport, model: SwapModel, source: Path) -> dict[str, float | str]:
    """Return the figures that the demo prints, by name."""
    crop = CropSpec(_SIDE, model.crop.coverage, model.crop.margin, model.crop.template)
    # The swapped face lies where the target's face was, so the target's own index aligns both.
    index = analyse(open_clip(converted.input), make_detector())
    rows, skin = [], []
    for before, after in zip(open_clip(converted.input), open_clip(converted.output), strict=True):
        for face in index.faces_at(before.index)[:1]:
            if before.index % _EVERY == 0:
                mask = masks.shape_edge(
                    masks.face_hull(canonical_landmarks(face), crop, face.scheme), erode=4, feather=8
                )
                old, new = (blend.cut(frame, face, crop).pixels for frame in (before, after))
                rows.append(
                    (
                        metrics.sharpness_ratio(new, old, mask),
                        metrics.seam_delta_e(old, mask),
                        metrics.seam_delta_e(new, mask),
                        metrics.skin_delta_e(new, old, mask),
                    )
                )
                skin.append((new * mask).sum(axis=(1, 2)) / mask.sum())
    sharpness, seam_before, seam_after, changed = np.mean(rows, axis=0)
    to_source = metrics.skin_delta_e(_as_picture(np.mean(skin, axis=0)), _as_picture(_mean_skin(source, crop)), _ONE)
    marks = verify_clip(converted.output)
    return {
        "sharpness against the footage": f"{sharpness:.2f} (1 = equal)",
        "colour step at the seam": f"dE {seam_after:.1f} (the untouched clip has {seam_before:.1f})",
        "skin changed by": f"dE {changed:.1f}",
        "skin distance to the android": f"dE {to_source:.1f}",
        "marked": " and ".join(n for n, m in (("container", marks.container), ("SEI", marks.sei)) if m) or "no",
    }


_ONE = np.ones((1, 1, 1), dtype=np.float32)


def _as_picture(mean: NDArray) -> NDArray:
    return np.asarray(mean, dtype=np.float32).reshape(3, 1, 1)


def _mean_skin(clip: Path, crop: CropSpec) -> NDArray[np.float64]:
    """Return the mean RGB of the faces of a clip."""
    index = analyse(open_clip(clip), make_detector(), every=_EVERY)
    means = []
    for frame in open_clip(clip):
        for face in index.faces_at(frame.index)[:1]:
            mask = masks.shape_edge(masks.face_hull(canonical_landmarks(face), crop, face.scheme), erode=4, feather=8)
            means.append((blend.cut(frame, face, crop).pixels * mask).sum(axis=(1, 2)) / mask.sum())
    return np.mean(means, axis=0)
