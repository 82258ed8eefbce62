"""One self-contained HTML page of an evaluation: nothing is loaded from elsewhere."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from faceswap.evaluate.gallery import WorstFrame, worst_frames
from faceswap.evaluate.local import TIMELINES
from faceswap.evaluate.run import Evaluation
from faceswap.evaluate.summary import FaceFigures
from faceswap.evaluate.table import FIGURES, Figure
from faceswap.pages.page import captioned, page
from faceswap.pages.timeline import timeline

_SHOWN_IN_PARTS = (
    "seam_gradient",
    "seam_step",
    "skin_match",
    "sharpness_skin",
    "grain",
    "jitter",
    "warping",
    "flicker",
)


def report_html(evaluation: Evaluation) -> str:
    """Return the page."""
    return page(
        f"{evaluation.output.name}: {evaluation.whole.verdict}",
        [
            _head(evaluation),
            "<h2>The whole clip</h2>",
            _whole_table(evaluation.whole),
            "<h2>Shots</h2>",
            _part_table(evaluation.parts),
            "<h2>Over time</h2>",
            _timelines(evaluation),
            "<h2>Worst frames</h2>",
            _gallery(worst_frames(evaluation)),
            "<h2>What this holds for</h2>",
            _circumstances(evaluation),
        ],
        has_sliders=True,
    )


def _head(evaluation: Evaluation) -> str:
    whole = evaluation.whole
    remarks = [
        f"{whole.num_frames} faces in {evaluation.num_frames} frames, {len(evaluation.parts)} swapped tracks",
        *evaluation.notes,
    ]
    if evaluation.untouched_tracks:
        remarks.append("untouched tracks: " + ", ".join(map(str, evaluation.untouched_tracks)))
    return (
        f'<h1>{html.escape(evaluation.output.name)} <span class="badge {whole.verdict}">{whole.verdict}</span></h1>'
        f"<p>compared with {html.escape(str(evaluation.input))}: {html.escape('; '.join(remarks))}.</p>"
    )


def in_words(figure: Figure, value: float) -> str:
    """Return a value as people read it."""
    if math.isnan(value):
        return "not measured"
    return "exact" if math.isinf(value) else f"{value:.{figure.digits}f}"


def _good(figure: Figure) -> str:
    low, high = figure.good
    if not figure.is_judged:
        return "-"
    if math.isinf(high):
        return f"at least {low:g}"
    return f"up to {high:g}" if low <= 0 else f"{low:g} to {high:g}"


def _whole_table(whole: FaceFigures) -> str:
    rows = []
    for key, value in whole.values.items():
        figure = FIGURES[key]
        verdict = figure.verdict(value) if figure.is_judged else "unknown"
        rows.append(
            f'<tr><th>{figure.title}</th><td class="number {verdict}">{in_words(figure, value)}</td>'
            f"<td>{_good(figure)}</td><td>{html.escape(figure.meaning)}</td></tr>"
        )
    return (
        '<div class="wide"><table><thead><tr><th>figure</th><th>value</th><th>good</th><th>meaning</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _part_table(parts: Sequence[FaceFigures]) -> str:
    heads = "".join(f"<th>{FIGURES[key].title}</th>" for key in _SHOWN_IN_PARTS)
    rows = []
    for part in parts:
        cells = "".join(
            f'<td class="number {FIGURES[key].verdict(part.values[key])}">{in_words(FIGURES[key], part.values[key])}</td>'
            for key in _SHOWN_IN_PARTS
        )
        rows.append(
            f"<tr><th>{part.name}</th><td>{part.frames[0]}-{part.frames[1]}</td>{cells}"
            f'<td><span class="badge {part.verdict}">{part.verdict}</span></td></tr>'
        )
    return (
        f'<div class="wide"><table><thead><tr><th>part</th><th>frames</th>{heads}<th>verdict</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _timelines(evaluation: Evaluation) -> str:
    times = np.array([row.seconds for row in evaluation.rows])
    table = evaluation.index.frames
    cuts = [float(table.pts[shot.start] * table.time_base) for shot in evaluation.index.shots[1:]]
    cuts = [cut for cut in cuts if times.min() < cut < times.max()]
    plots = []
    for title, good, values in TIMELINES.values():
        drawn = timeline(title, times, values(evaluation.rows), good, cuts)
        if drawn:
            plots.append(captioned(title, drawn, kind="plot"))
    return "".join(plots)


def _gallery(frames: Sequence[WorstFrame]) -> str:
    if not frames:
        return "<p>No frame is outside the good range of its own figures.</p>"
    items = [
        '<figure class="pair"><div class="slider">'
        f'<img src="{item.before}" alt="frame {item.frame}, input"><img class="after" src="{item.after}" '
        f'alt="frame {item.frame}, result"><input type="range" min="0" max="100" value="50" '
        f'aria-label="input or result of frame {item.frame}"></div>'
        f"<figcaption><b>{item.part}, frame {item.frame}</b> ({item.seconds:.2f} s): {html.escape(item.complaint)}"
        "</figcaption></figure>"
        for item in frames
    ]
    return f'<p>Left of the handle the input, right of it the result.</p><div class="gallery">{"".join(items)}</div>'


def _circumstances(evaluation: Evaluation) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(str(key))}</th><td><code>{html.escape(str(value))}</code></td></tr>"
        for key, value in evaluation.circumstances.items()
    )
    return f'<div class="wide"><table><tbody>{rows}</tbody></table></div>'
