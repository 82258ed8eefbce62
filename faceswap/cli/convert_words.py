"""What `faceswap convert` says: the plan and the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceswap.convert.casting import casting_lines, casting_rows
from faceswap.evaluate.table import FIGURES

if TYPE_CHECKING:
    from faceswap.convert.casting import Casting
    from faceswap.convert.plan import ConvertPlan
    from faceswap.convert.report import ConvertReport
    from faceswap.faces.base import Detector, IdentityEncoder
    from faceswap.faces.index import FaceIndex
    from faceswap.models.swap_model import SwapModel

_LEAST_MS = 0.05
"""A frame: stages that took less are not named, they would read 0.0."""


def plan_values(
    plan: ConvertPlan, models: Sequence[SwapModel], encoder: IdentityEncoder | None, detector: Detector
) -> dict[str, object]:
    """Return what a conversion will do, ready for JSON."""
    height, width = plan.info.size
    cast = _casting(plan, models, encoder, detector)
    return {
        "input": str(plan.input),
        "picture": f"{width}x{height} {plan.info.layout.name}, {float(plan.info.rate):.3f} fps, {plan.info.codec}",
        "color": f"{plan.info.color.matrix}, {'full' if plan.info.color.full_range else 'studio'} range",
        "model": ", ".join(map(str, models)),
        "to": plan.wish.words,
        "consent": ", ".join(record.record_id for record in plan.consents),
        "faces": "reuse the index" if plan.has_index else "analyse the clip",
        "encode": f"{plan.encode.codec} {plan.encode.pix_fmt} "
        + " ".join(f"{key}={value}" for key, value in plan.encode.options.items()),
        "frames": _chosen(plan),
        "overrides": _overrides(plan),
        "output": str(plan.output),
        "casting": casting_rows(*cast) if cast else None,
        "notes": [*plan.notes, *(cast[1].notes if cast else ())],
    }


def _chosen(plan: ConvertPlan) -> str:
    """Return which frames are swapped and written, checked as far as the clip is known."""
    config = plan.config
    words = [
        f"{name} {value}"
        for name, value in (("shots", config.shots), ("from", config.start), ("to", config.end))
        if value
    ]
    words += ["only these are written"] if config.trim else []
    words += [f"after the filter {config.ffmpeg_filter}"] if config.ffmpeg_filter else []
    if plan.has_index and not config.choice.is_everything:
        from faceswap.faces.cache import open_index

        ranges = config.choice.ranges(open_index(plan.index_path))
        words.append("frames " + ", ".join(f"{start}-{stop - 1}" for start, stop in ranges))
    return ", ".join(words) or "all"


def _overrides(plan: ConvertPlan) -> str:
    """Return which faces have settings of their own, checked as far as the clip is known."""
    from faceswap.convert.overrides import SettingsFor
    from faceswap.faces.cache import open_index

    if plan.has_index:
        SettingsFor.of(plan.config, open_index(plan.index_path))
    return "; ".join(override.words for override in plan.config.override) or "none"


def _casting(
    plan: ConvertPlan, models: Sequence[SwapModel], encoder: IdentityEncoder | None, detector: Detector
) -> tuple[FaceIndex, Casting] | None:
    """Return who becomes whom; None as long as that is not known."""
    from faceswap.convert.pipeline import cast_clip, people_of
    from faceswap.faces.cache import open_index

    people = people_of(plan.wish, detector, encoder)
    if not plan.has_index or plan.config.ffmpeg_filter is not None:
        return None
    index = open_index(plan.index_path)
    return index, cast_clip(plan, models, index, encoder, people)


def plan_text(values: Mapping[str, object]) -> str:
    """Return `plan_values` for people."""
    values = dict(values)
    notes, casting = values.pop("notes"), values.pop("casting")
    assert isinstance(notes, list)
    lines = [f"{key:>9}: {value}" for key, value in values.items()]
    if isinstance(casting, list):
        lines += [f"{'casting':>9}: {line}" for line in casting_lines(casting)]
    return "\n".join([*lines, *(f"{'note':>9}: {note}" for note in notes)])


def summary(report: ConvertReport) -> str:
    """Return what a conversion did, for people."""
    skipped = "".join(f", {count} {what} left as they were" for what, count in report.skipped.items())
    copied = f", {report.frames_copied} frames copied from the input" if report.frames_copied else ""
    resumed = f", {report.frames_resumed} finished before" if report.frames_resumed else ""
    delivered = "\n".join(map(str, report.delivered))
    settings = f"all settings, for --settings: {report.settings_file}\n" if report.settings_file else ""
    checked = ", ".join(f"{subject} {found}" for subject, found in report.checks.items())
    casting = "\n".join(casting_lines(report.casting))
    networks = "\n".join(f"network: {choice['words']}" for choice in report.network)
    return (
        f"{report.frames} frames, {report.faces} faces swapped to {report.identity}{skipped}{copied}{resumed}; "
        f"{report.seconds:.1f} s, {report.fps:.1f} fps (ms a frame: {stage_words(report.ms_per_frame)})\n{networks}\n{casting}\n"
        f"compared with the input: {checked}\nwatermark: {report.watermark or 'none'}; safeguard: {report.safeguard}\n"
        f"{_quality(report)}consent on record: {', '.join(report.consents)}\n{settings}{_sidecars(report.delivered)}{delivered}"
    )


def _sidecars(delivered: Sequence[Path]) -> str:
    """Return a line that names the signatures which lie beside clips, or nothing."""
    from faceswap.media.containers import MUXERS
    from faceswap.provenance.manifest import format_of, sidecar_of

    clips = [path for path in delivered if path.suffix.lower() in MUXERS and format_of(path) is None]
    names = ", ".join(str(sidecar_of(path)) for path in clips)
    return f"signed in {names}, which belongs beside the clip\n" if names else ""


def stage_words(ms_per_frame: Mapping[str, float]) -> str:
    """Return what each stage took, but for those that took next to nothing."""
    return ", ".join(f"{stage} {ms:.1f}" for stage, ms in ms_per_frame.items() if ms >= _LEAST_MS)


def _quality(report: ConvertReport, limit: int = 6) -> str:
    """Return the figures of the result and the tracks that are poor, a line each."""
    figures = report.figures
    if figures is None:
        return ""
    values = ", ".join(f"{FIGURES[key].title} {value:.2f}" for key, value in figures.whole.values.items())
    lines = [f"quality ({figures.num_faces} faces looked at): {figures.whole.verdict}; {values}"]
    if len(figures.parts) > 1:
        lines += [f"poor: shot {part.shot}, track {part.track}: {part.complaint}" for part in figures.poor[:limit]]
        if len(figures.poor) > limit:
            lines.append(f"... and {len(figures.poor) - limit} more tracks")
    return "".join(f"{line}\n" for line in lines)
