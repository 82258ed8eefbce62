"""One page about a faceset, alone or against the faceset of the footage that will receive the face."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import NoFaceError
from faceswap.facesets import choose
from faceswap.facesets.advice import advice
from faceswap.facesets.measure import measured_records, read_crop
from faceswap.facesets.people import WITHOUT_ENCODER, group_people
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, write_atomic
from faceswap.pages import distributions
from faceswap.pages.page import captioned, jpeg_source, page
from faceswap.progress import OnProgress, Progress, ignore_progress

_SHEET = 24
"""Crops of a contact sheet."""
_THUMB_PX, _THUMB_QUALITY = 112, 82
_MAX_PEOPLE = 8


@dataclass(frozen=True, slots=True)
class _Side:
    """One faceset of the report."""

    role: str
    faceset: FaceSet
    records: list[FaceRecord]


def write_report(
    source: FaceSet, target: FaceSet | None, path: Path, *, on_progress: OnProgress = ignore_progress
) -> list[str]:
    """Write the page; return what it advises, one sentence each.

    The page stands alone: pictures are inside it, nothing is loaded from elsewhere.

    Raises:
        NoFaceError: a faceset without a crop that can be measured.
    """
    sides = []
    for role, faceset in (("source", source), ("target", target)):
        if faceset is not None:
            _keep_groups(faceset, on_progress)
            records = measured_records(faceset, on_progress=on_progress)
            if not records:
                raise NoFaceError(
                    f"{faceset.path} holds no crop that could be measured; `faceset show` says what it holds"
                )
            sides.append(_Side(role, faceset, records))
    lines = advice(sides[0].records, sides[1].records if target else None)
    title = source.actor if target is None else f"{source.actor} → {target.actor}"
    parts = [f"<h1>Faceset report: {html.escape(title)}</h1>", _summary(sides), _advice(lines), _plots(sides)]
    for number, side in enumerate(sides):
        parts += _sheets(side)
        on_progress(Progress("contact sheets", number + 1, len(sides), unit="facesets"))
    with disk_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, page(f"Faceset report: {title}", parts).encode(errors="replace"))
    return lines


def _keep_groups(faceset: FaceSet, on_progress: OnProgress) -> None:
    """Group by person where nobody did: groups made with an encoder are better and stay."""
    if any(record.cluster is None for record in measured_records(faceset, on_progress=on_progress)):
        group_people(faceset, on_progress=on_progress)


def _summary(sides: Sequence[_Side]) -> str:
    heads = "".join(f'<th class="{s.role}">{s.role}: {html.escape(s.faceset.actor)}</th>' for s in sides)

    def median(side: _Side, key: str) -> str:
        low, middle, high = np.percentile([choose.value_of(r, key) for r in side.records], [5, 50, 95])
        return f"{_short(middle)} ({_short(low)} to {_short(high)})"

    rows = [
        ("crops", [f"{len(s.records)}" for s in sides]),
        ("sorted out", [f"{len(s.faceset.records(with_dropped=True)) - len(s.records)}" for s in sides]),
        ("clips and pictures", [f"{len({r.clip for r in s.records})}" for s in sides]),
        ("people (groups)", [f"{len({r.cluster for r in s.records})}" for s in sides]),
        ("crop", [f"{s.faceset.crop.size} px, {s.faceset.crop.coverage}" for s in sides]),
        ("doubles (dedupe would sort out)", [f"{len(choose.duplicates(s.records))}" for s in sides]),
        *((f"{key}{unit}", [median(s, key) for s in sides]) for key, unit in _FIGURES),
    ]
    body = "".join(f"<tr><td>{name}</td>{''.join(f'<td>{v}</td>' for v in values)}</tr>" for name, values in rows)
    note = "<p>Figures: median (5 % to 95 % of the crops).</p>"
    return f"<table><tr><th></th>{heads}</tr>{body}</table>{note}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2f}"


_FIGURES = (
    ("size", ", px of the frame"),
    ("sharpness", ""),
    ("yaw", ", degrees"),
    ("pitch", ", degrees"),
    ("brightness", " of 255"),
    ("balance", ", -1 lit from the left to 1"),
    ("occlusion", ", share of the face"),
)


def _advice(lines: Sequence[str]) -> str:
    return f"<h2>What this means</h2><ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def _plots(sides: Sequence[_Side]) -> str:
    def values(side: _Side, key: str) -> NDArray[np.float64]:
        return np.array([choose.value_of(r, key) for r in side.records])

    maps = [distributions.pose_map(values(s, "yaw"), values(s, "pitch"), s.role) for s in sides]
    keys = ("yaw", "pitch", "size", "sharpness", "brightness", "balance", "contrast", "occlusion")
    bars = [distributions.histogram(key, {s.role: values(s, key) for s in sides}) for key in keys]
    clips = "".join(_clip_table(side) for side in sides)
    return f'<h2>Coverage</h2><div class="plots">{"".join(maps)}</div><div class="plots">{"".join(bars)}</div>{clips}'


def _clip_table(side: _Side) -> str:
    names = {clip.fingerprint: Path(clip.path).name for clip in side.faceset.clips()}
    counts = Counter((names[r.clip], r.era) for r in side.records).most_common(40)
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(era)}</td><td>{count}</td></tr>"
        for (name, era), count in counts
    )
    heads = "<tr><th>clip</th><th>era</th><th>crops</th></tr>"
    return f'<h3 class="{side.role}">Clips of the {side.role}</h3><table>{heads}{rows}</table>'


def _sheets(side: _Side) -> list[str]:
    records = side.records
    by_quality = sorted(records, key=choose.quality)
    random = np.random.default_rng(0).permutation(len(records))[:_SHEET]
    role = f'<span class="{side.role}">{side.role}</span>'
    parts = [
        f"<h2>Crops of the {role}</h2>",
        _sheet(side, "Best, spread over the angles", choose.best(records, _SHEET), _quality_text),
        _sheet(side, "Worst: soft, small or covered", by_quality[:_SHEET], _quality_text),
        _sheet(
            side, "Most covered", choose.ordered(records, "occlusion", is_reverse=True)[: _SHEET // 2], _covered_text
        ),
        _sheet(side, "By chance", [records[i] for i in sorted(random.tolist())], _pose_text),
    ]
    people = Counter(r.cluster for r in records if r.cluster is not None).most_common()
    if len(people) > 1:
        parts.append(f"<h3>People</h3><p>{html.escape(WITHOUT_ENCODER)}.</p>")
        for person, count in people[:_MAX_PEOPLE]:
            members = [r for r in records if r.cluster == person]
            parts.append(_sheet(side, f"Person {person}: {count} crops", members[:: -(-count // 8)], _pose_text))
    return parts


def _quality_text(record: FaceRecord) -> str:
    assert record.figures is not None
    return f"sharp {record.figures.sharpness:.2f}, {record.figures.face_px:.0f} px"


def _covered_text(record: FaceRecord) -> str:
    assert record.figures is not None
    return f"covered {record.figures.occlusion:.0%}"


def _pose_text(record: FaceRecord) -> str:
    assert record.figures is not None
    return f"yaw {record.figures.yaw:.0f}°, pitch {record.figures.pitch:.0f}°"


def _sheet(side: _Side, title: str, records: Sequence[FaceRecord], text: Callable[[FaceRecord], str]) -> str:
    figures = []
    for record in records:
        rgb = read_crop(side.faceset, record)
        if rgb is None:
            continue
        small = cv2.resize(rgb, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
        name = html.escape(record.file, quote=True)
        picture = f'<img alt="{name}" title="{name}" src="{jpeg_source(small, _THUMB_QUALITY)}">'
        figures.append(captioned(text(record), picture))
    return f'<h3>{html.escape(title)}</h3><div class="sheet">{"".join(figures)}</div>'
