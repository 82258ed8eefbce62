"""What is settled before a preview is rendered: the plan, the index that is kept, what needs it, where the picture goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from faceswap.convert.config import ConvertConfig
from faceswap.convert.painted_files import find_painted
from faceswap.convert.plan import ConvertPlan, plan_convert, with_filter
from faceswap.convert.plan_checks import check_masks
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.base import Detector
from faceswap.faces.cache import INDEX_FOLDER, load_index
from faceswap.faces.index import FaceIndex
from faceswap.interrupt import StopRequest
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress
from faceswap.provenance.picture_mark import marks_in_picture
from faceswap.provenance.wish import ProvenanceWish

_NOT_ENCODED = {
    "codec": "ffv1",
    "crf": None,
    "preset": None,
    "profile": None,
    "pix_fmt": None,
    "deliver": ("clip",),
    "copy_untouched": False,
    "figures": False,
}
"""Settings that say how a clip is written: a preview writes none."""


def require_writable(target: Path, overwrite: bool) -> None:
    """Refuse places where no preview can be written; earlier previews may be replaced.

    Raises:
        UsageError: with the remedy.
    """
    if target.suffix.lower() != ".png":
        raise UsageError(f"{target} is not the name of a PNG picture; give -o a name that ends in .png")
    if not target.parent.is_dir():
        raise UsageError(f"the folder {target.parent} does not exist; make it or choose another -o")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"{target.parent} cannot be written to; choose another -o")
    if target.is_dir() or (target.exists() and not overwrite and not _is_ours(target)):
        raise UsageError(f"{target} exists and is no preview; use --overwrite to replace it, or another -o")


def _is_ours(picture: Path) -> bool:
    try:
        return any(marks_in_picture(picture))
    except UnsupportedInputError:
        return False


def plan_preview(
    source: Path,
    models: Sequence[SwapModel],
    target: Path,
    to: str | None,
    variants: Sequence[ConvertConfig],
    detector: Detector,
    on_progress: OnProgress,
    provenance: ProvenanceWish | None = None,
) -> ConvertPlan:
    """Return the plan of the conversion of which a part is shown, with the settings of the first variant.

    Raises:
        UsageError, UnsupportedInputError, ConsentError: as for `plan_convert`.
    """
    config = variants[0].model_copy(update=_NOT_ENCODED)
    clip = target.with_name(f"{source.stem}_swapped.mkv")
    plan = plan_convert(
        source, models, clip, to=to, config=config, overwrite=True, detector=detector.name, provenance=provenance
    )
    for variant in variants[1:]:
        check_masks(variant, plan.info)
    return with_filter(plan, detector.name, on_progress, StopRequest())


def known_index(plan: ConvertPlan, detector: Detector) -> FaceIndex | None:
    """Return the index that a conversion would use again, from beside the preview or beside the clip."""
    places = (plan.index_path, plan.input.parent / INDEX_FOLDER / plan.index_path.name)
    found = (load_index(place, plan.fingerprint, detector.name, plan.config.min_face_px) for place in places)
    return next((index for index in found if index is not None and index.faces), None)


def require_whole_index(config: ConvertConfig, plan: ConvertPlan) -> None:
    """Raise UsageError for settings that count shots, tracks or frames of the whole clip, which is not analysed."""
    reasons = []
    if plan.wish.way == "tracks" or any(who.startswith("track:") for who, _ in plan.wish.pairs):
        reasons.append("tracks")
    if not config.choice.is_everything or any(override.has_place for override in config.override):
        reasons.append("shots or moments")
    if config.mask is not None and not find_painted(Path(config.mask)).is_constant:
        reasons.append("frames with painted masks")
    if reasons:
        raise UsageError(
            f"the settings name {' and '.join(reasons)} of the clip, and its face index is not kept yet; "
            f"`faceswap shots {plan.input}` makes it once (with the same --detector, --landmarks, --refine, --min-face)"
        )
