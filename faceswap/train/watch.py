"""Reading the curve: no more gain, learning by heart, collapse."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_LEAST_SCORES = 6
_WINDOW = 0.25
"""Of the scores: the last ones, in which there has to be a gain. At least 3."""
_GAIN, _LOSS_GAIN = 0.002, 0.01
"""Of SSIM; share of the loss where there is no held-out face."""
_APART = 0.01
_FLAT, _VARIED = 0.15, 0.4
_DROP = 0.2
"""Of SSIM under its best: no noise does that."""
_JUMP, _NUM_JUMPS, _RECENT = 3.0, 3, 12


@dataclass(frozen=True, slots=True)
class Scored:
    """How good the averaged network was at a step."""

    step: int
    seconds: float
    loss: float
    held: float | None
    """Mean SSIM of the held-out faces; None = there are none."""
    seen: float
    """Mean SSIM of faces it trains with, looked at in the same way."""
    sharpness: float
    """Fine detail, rebuilt / real."""
    variety: float
    """How much rebuilt faces differ from each other, against how much the real ones do."""

    @property
    def quality(self) -> float:
        """Higher is better; comparable within a run."""
        return -self.loss if self.held is None else self.held


def has_plateau(history: Sequence[Scored]) -> bool:
    """True when the last quarter of the scores brought nothing."""
    window = max(3, round(len(history) * _WINDOW))
    if len(history) < _LEAST_SCORES:
        return False
    before, last = (max(row.quality for row in part) for part in (history[:-window], history[-window:]))
    needed = _GAIN if history[-1].held is not None else _LOSS_GAIN * abs(before)
    return last - before < needed


def is_learnt_by_heart(history: Sequence[Scored]) -> bool:
    """True when held-out faces have become worse over three scores or more while faces of the training became better."""
    rows = [row for row in history if row.held is not None]
    if len(rows) < _LEAST_SCORES:
        return False
    best = max(range(len(rows)), key=lambda i: rows[i].held or 0.0)
    fall = (rows[best].held or 0.0) - (rows[-1].held or 0.0)
    return len(rows) - 1 - best >= 3 and fall > _APART and rows[-1].seen - rows[best].seen > _APART


def collapse(history: Sequence[Scored]) -> str | None:
    """Return what has collapsed, in words; None = nothing has."""
    if len(history) < 2:
        return None
    last, before = history[-1], history[:-1]
    if last.variety < _FLAT and max(row.variety for row in before) > _VARIED:
        return f"all faces come out alike (their variety fell to {last.variety:.2f} of the real ones')"
    best = max(row.seen for row in before)
    if last.seen < best - _DROP:
        return f"the SSIM of rebuilt faces fell from {best:.2f} to {last.seen:.2f}"
    return None


class LossWatch:
    """Notices a loss that leaps up and stays there."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def collapse(self, loss: float) -> str | None:
        """Take in a loss; return what has collapsed, in words."""
        if loss != loss or loss in (float("inf"), float("-inf")):
            return "the loss is no number"
        usual = median(list(self._recent)[:-_NUM_JUMPS] or [loss])
        self._recent.append(loss)
        last = list(self._recent)[-_NUM_JUMPS:]
        if len(self._recent) == _RECENT and min(last) > _JUMP * usual:
            return f"the loss leapt from {usual:.3f} to {loss:.3f}"
        return None


def verdict(history: Sequence[Scored]) -> str:
    """Return a sentence on where the curve stands."""
    if len(history) < _LEAST_SCORES:
        return "Too few scores to judge the curve: train longer, or lower preview_every."
    if is_learnt_by_heart(history):
        best = max(history, key=lambda row: row.quality)
        return (
            f"The model learns its faces by heart: held-out faces were best at step {best.step} "
            f"(SSIM {best.quality:.3f}) and became worse since. More faces help, more steps do not."
        )
    if has_plateau(history):
        return "The last quarter of the run brought no gain: more of the same will not either."
    steps = [later.quality - sooner.quality for sooner, later in pairwise(history[-4:])]
    return f"Still getting better ({sum(steps):+.4f} over the last {len(steps)} scores): training longer helps."
