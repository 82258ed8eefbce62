"""Several results of one clip side by side."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from faceswap.evaluate.gallery import face_picture
from faceswap.evaluate.pairs import paired_frames
from faceswap.evaluate.report import in_words
from faceswap.evaluate.run import Evaluation
from faceswap.evaluate.table import FIGURES
from faceswap.media.reader import VideoReader
from faceswap.pages.page import page

_SIDE = 240
_NUM_FRAMES = 5


def best_of(evaluations: Sequence[Evaluation], key: str) -> int | None:
    """Return which result is nearest to perfect in a figure; None = equal, or not measured."""
    figure = FIGURES[key]
    distances = [_distance(evaluation.whole.values.get(key, math.nan), figure.perfect) for evaluation in evaluations]
    if not figure.is_judged or any(math.isnan(d) for d in distances):
        return None
    order = np.argsort(distances)
    return int(order[0]) if distances[order[1]] - distances[order[0]] > 1e-9 else None


def _distance(value: float, perfect: float) -> float:
    """Return how far a value is from perfect; ratios in steps of their logarithm, identity downwards from more."""
    if math.isnan(perfect):
        return -value
    return abs(math.log(max(value, 1e-6))) if perfect == 1.0 else abs(value - perfect)


def compare_html(evaluations: Sequence[Evaluation], names: Sequence[str]) -> str:
    """Return one page for results of the same clip; at least two.

    Args:
        names: what to call each result.
    """
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    keys = [key for key in FIGURES if any(key in e.whole.values for e in evaluations)]
    table = (
        f'<div class="wide"><table><thead><tr><th>figure</th>{heads}<th>meaning</th></tr></thead>'
        f"<tbody>{''.join(_row(key, evaluations) for key in keys)}</tbody></table></div>"
    )
    verdicts = ", ".join(
        f'{html.escape(name)} <span class="badge {e.whole.verdict}">{e.whole.verdict}</span>'
        for name, e in zip(names, evaluations, strict=True)
    )
    return page(
        "comparison",
        [
            f"<h1>{html.escape(evaluations[0].input.name)}: {len(names)} results</h1><p>{verdicts}</p>",
            "<h2>Figures of the whole clip</h2><p>Bold: nearest to perfect.</p>",
            table,
            "<h2>The same frames</h2>",
            _pictures(evaluations, names),
        ],
    )


def _row(key: str, evaluations: Sequence[Evaluation]) -> str:
    figure, best = FIGURES[key], best_of(evaluations, key)
    cells = []
    for i, evaluation in enumerate(evaluations):
        value = evaluation.whole.values.get(key, math.nan)
        text = in_words(figure, value)
        verdict = figure.verdict(value) if figure.is_judged else "unknown"
        cells.append(f'<td class="number {verdict}">{f"<b>{text}</b>" if i == best else text}</td>')
    return f"<tr><th>{figure.title}</th>{''.join(cells)}<td>{html.escape(figure.meaning)}</td></tr>"


def _pictures(evaluations: Sequence[Evaluation], names: Sequence[str]) -> str:
    first = evaluations[0]
    frames = sorted({row.frame for row in first.rows})
    chosen = [frames[(2 * i + 1) * len(frames) // (2 * _NUM_FRAMES)] for i in range(_NUM_FRAMES)]
    columns = [_column(first, chosen, is_input=True), *(_column(e, chosen, is_input=False) for e in evaluations)]
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in ("input", *names))
    rows = []
    for number in dict.fromkeys(chosen):
        cells = "".join(
            f'<td><img src="{column[number]}" alt="frame {number}" width="240"></td>'
            if number in column
            else "<td>-</td>"
            for column in columns
        )
        rows.append(f"<tr><th>{number}</th>{cells}</tr>")
    return f'<div class="wide"><table><thead><tr><th>frame</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _column(evaluation: Evaluation, frames: Sequence[int], *, is_input: bool) -> dict[int, str]:
    tracks = {row.frame: row.track for row in evaluation.rows}
    result = {}
    for before, after in paired_frames(VideoReader(evaluation.input), VideoReader(evaluation.output)):
        frame = before if is_input else after
        if before.index in frames and frame is not None:
            faces = evaluation.index.faces_at(before.index)
            face = next((face for face in faces if face.track == tracks.get(before.index)), faces[0])
            result[before.index] = face_picture(frame, face, _SIDE)
        if before.index >= frames[-1]:
            break
    return result
