"""What a faceset lacks for a good swap, in words and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.facesets.choose import duplicates, value_of
from faceswap.facesets.schema import FaceRecord

_REGIONS = (
    # name, key, low, high: which faces, for sentences like "target has 412 faces with yaw > 30, source 6".
    ("look far to the right (yaw above 45°)", "yaw", 45.0, 180.0),
    ("look to the right (yaw 15° to 45°)", "yaw", 15.0, 45.0),
    ("look ahead (yaw -15° to 15°)", "yaw", -15.0, 15.0),
    ("look to the left (yaw -45° to -15°)", "yaw", -45.0, -15.0),
    ("look far to the left (yaw below -45°)", "yaw", -180.0, -45.0),
    ("look down (pitch above 15°)", "pitch", 15.0, 90.0),
    ("look up (pitch below -15°)", "pitch", -90.0, -15.0),
    ("are dark (brightness below 60)", "brightness", -1.0, 60.0),
    ("are bright (brightness above 180)", "brightness", 180.0, 256.0),
    ("are lit from the left (balance below -0.15)", "balance", -1.0, -0.15),
    ("are lit from the right (balance above 0.15)", "balance", 0.15, 1.0),
)
_ENOUGH = 100
"""Faces of a region with which a model learns it, as a rule of thumb; fewer are enough where the target has fewer."""
_RARE_SHARE = 0.02
"""Regions that hold less of the target are not worth a sentence."""
_LIGHT_MARGIN = 20.0
"""Grey values."""
_FEW, _MANY = 500, 20_000


def advice(source: Sequence[FaceRecord], target: Sequence[FaceRecord] | None) -> list[str]:
    """Return sentences, most important first; at least one.

    Args:
        source, target: measured records; without a target the source is judged by itself.
    """
    lines = [*(_gaps(source, target) if target else _own_gaps(source)), *_amount(source)]
    if target:
        lines += _light(source, target) + _scale(source, target)
    lines += _people("source", source) + (_people("target", target) if target else [])
    return lines or ["Nothing is missing that can be measured: angles, light, size and sharpness fit."]


def _values(records: Sequence[FaceRecord], key: str) -> NDArray[np.float64]:
    return np.array([value_of(record, key) for record in records])


def _count(records: Sequence[FaceRecord], key: str, low: float, high: float) -> int:
    values = _values(records, key)
    return int(((values > low) & (values <= high)).sum())


def _gaps(source: Sequence[FaceRecord], target: Sequence[FaceRecord]) -> list[str]:
    found = []
    for name, key, low, high in _REGIONS:
        wanted, there = _count(target, key, low, high), _count(source, key, low, high)
        needed = min(_ENOUGH, wanted)
        is_missing = there < needed and there / len(source) < wanted / len(target)
        if wanted >= max(3, _RARE_SHARE * len(target)) and is_missing:
            text = f"{wanted} of {len(target)} faces of the target {name}, of the source {there or 'none'}"
            found.append((there / needed, -wanted, f"{text}: add footage of the source in which they do."))
    return [text for _, _, text in sorted(found)]


def _own_gaps(source: Sequence[FaceRecord]) -> list[str]:
    return [
        f"{f'Only {there}' if there else 'None'} of {len(source)} faces {name}: "
        "a target that shows such faces will not be matched well."
        for name, key, low, high in _REGIONS[:7]
        if (there := _count(source, key, low, high)) < _ENOUGH // 5
    ]


def _amount(source: Sequence[FaceRecord]) -> list[str]:
    doubles = len(duplicates(source))
    different = len(source) - doubles
    lines = []
    if different < _FEW:
        lines.append(
            f"The source has {different} different faces ({len(source)} with doubles): some hundred make a model, "
            "two thousand from many shots make a good one."
        )
    if doubles > 0.3 * len(source):
        lines.append(f"{doubles} of {len(source)} faces of the source are doubles: `faceset dedupe` sorts them out.")
    if different > _MANY:
        lines.append(
            f"{different} different faces are more than training needs: `faceset best 10000` keeps a good spread."
        )
    top, count = Counter(record.clip for record in source).most_common(1)[0]
    if count > 0.8 * len(source) and len({record.clip for record in source}) > 1:
        lines.append(
            f"{count / len(source):.0%} of the source come from one clip ({top[:8]}): its light and look will prevail."
        )
    return lines


def _light(source: Sequence[FaceRecord], target: Sequence[FaceRecord]) -> list[str]:
    """Light that the source does not have at all: the colour match can shift it, not relight it."""
    low, high = np.percentile(_values(source, "brightness"), [2, 98])
    values = _values(target, "brightness")
    lines = []
    for word, is_out in (("darker", values < low - _LIGHT_MARGIN), ("brighter", values > high + _LIGHT_MARGIN)):
        if is_out.mean() > 0.25:
            lines.append(
                f"{is_out.sum()} of {len(target)} faces of the target are {word} than nearly all of the source "
                f"(brightness {np.median(values):.0f} against {low:.0f} to {high:.0f}): add footage of the source in such light."
            )
    return lines


def _scale(source: Sequence[FaceRecord], target: Sequence[FaceRecord]) -> list[str]:
    lines = []
    have, want = (float(np.median(_values(records, "size"))) for records in (source, target))
    if have < 0.7 * want:
        lines.append(
            f"Faces of the source are {have:.0f} px high, of the target {want:.0f} px: the swap will look soft; "
            "add close-ups of the source."
        )
    sharp, wanted = (float(np.percentile(_values(records, "sharpness"), 75)) for records in (source, target))
    if sharp < 0.75 * wanted:
        lines.append(
            f"The source is softer than the target (sharpness {sharp:.2f} against {wanted:.2f}): "
            "sort out its blurriest, or add sharper footage."
        )
    return lines


def _people(role: str, records: Sequence[FaceRecord]) -> list[str]:
    people = Counter(record.cluster for record in records if record.cluster is not None)
    others = len(records) - max(people.values(), default=len(records))
    if others <= 0.05 * len(records):
        return []
    return [
        f"{others} of {len(records)} faces of the {role} may show other people than the most frequent one "
        f"({len(people)} groups): look at them below, and keep the right ones with `faceset filter --people`."
    ]
