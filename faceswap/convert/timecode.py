"""Frames and how people name them: timecode, seconds, ticks. Times count from the clip's first frame."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from faceswap.errors import UsageError
from faceswap.types import FrameTable

_RATES = tuple(map(Fraction, (24, 25, 30, 48, 50, 60, 100, 120)))
_NTSC_RATES = tuple(Fraction(1000 * n, 1001) for n in (24, 30, 48, 60, 120))
_SAME_RATE, _NEAR_RATE = 0.0004, 0.02
"""Relative: of the average over the clip (24 and 23.976 differ by 0.001), and of one step, which ticks may round."""
_DROPPED = {Fraction(30_000, 1001): 2, Fraction(60_000, 1001): 4}
"""Labels that drop-frame timecode leaves out at each minute but every tenth."""

_TIMECODE = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3})")
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
_FRAME = re.compile(r"(\d+)f?")
_TICKS = re.compile(r"pts:(-?\d+)")
_FORMS = "a timecode (00:01:02:12), a time (1:02.5 or 62.5s), a frame (1550) or a tick (pts:90000)"


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a clip as somebody wrote it."""

    text: str
    unit: Literal["frame", "seconds", "timecode", "ticks"]
    value: Fraction
    """Frames, seconds or ticks; of a timecode its seconds, with its frames in `label_frames`."""
    label_frames: int = 0
    is_drop_frame: bool = False

    @classmethod
    def parse(cls, text: str, option: str) -> Moment:
        """Read one of the four notations.

        Args:
            option: its name, for the message.

        Raises:
            UsageError: none of them.
        """
        word = text.strip()
        if match := _FRAME.fullmatch(word):
            return cls(word, "frame", Fraction(match[1]))
        if match := _TICKS.fullmatch(word):
            return cls(word, "ticks", Fraction(match[1]))
        if match := _SECONDS.fullmatch(word):
            return cls(word, "seconds", Fraction(match[1]))
        if match := _TIMECODE.fullmatch(word):
            hours, minutes, seconds, sign, frames = match.groups()
            _require_sixties(option, word, int(minutes), int(seconds))
            whole = Fraction((int(hours) * 60 + int(minutes)) * 60 + int(seconds))
            return cls(word, "timecode", whole, int(frames), sign == ";")
        if match := _CLOCK.fullmatch(word):
            hours, minutes, seconds = match.groups()
            _require_sixties(option, word, int(minutes) if hours else 0, int(float(seconds)))
            return cls(word, "seconds", Fraction((int(hours or 0) * 60 + int(minutes)) * 60) + Fraction(seconds))
        raise UsageError(f"{option} {text!r} is not understood; allowed: {_FORMS}")


def _require_sixties(option: str, word: str, *fields: int) -> None:
    if any(field >= 60 for field in fields):
        raise UsageError(f"{option} {word!r}: minutes and seconds go from 0 to 59")


@dataclass(frozen=True, slots=True, eq=False)
class ClipClock:
    """Turns moments into frames of one clip, and frames into timecode."""

    table: FrameTable
    rate: Fraction
    """Frames per second that timecode counts with; nominal for variable rates."""

    @classmethod
    def of(cls, table: FrameTable) -> ClipClock:
        """Return the clock of a clip with at least one frame."""
        return cls(table, _frame_rate(table))

    @property
    def end_tick(self) -> int:
        """When the last frame is over."""
        return self.table.end_tick_of(len(self.table) - 1)

    def seconds_at(self, frame: int) -> Fraction:
        """Return the time of a frame's start; the clip's length for the frame after the last."""
        tick = self.end_tick if frame >= len(self.table) else int(self.table.pts[frame])
        return (tick - int(self.table.pts[0])) * self.table.time_base

    def timecode_at(self, frame: int) -> str:
        """Return the timecode of a frame's start, drop-frame where the rate has it."""
        count, base = round(self.seconds_at(frame) * self.rate), round(self.rate)
        dropped = _DROPPED.get(self.rate, 0)
        if dropped:
            per_minute, per_ten = 60 * base - dropped, 600 * base - 9 * dropped
            tens, rest = divmod(count, per_ten)
            # The first minute of each ten is `dropped` frames longer.
            minutes = 0 if rest < 60 * base else 1 + (rest - 60 * base) // per_minute
            count += dropped * (9 * tens + minutes)
        seconds, frames = divmod(count, base)
        sign = ";" if dropped else ":"
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{sign}{frames:02d}"

    def frame_at(self, moment: Moment, option: str) -> int:
        """Return the first frame that starts at or after a moment; the number of frames when none does.

        Raises:
            UsageError: outside the clip, or a timecode that does not exist at its rate.
        """
        if moment.unit == "frame":
            frame, is_inside = int(moment.value), moment.value <= len(self.table)
        elif moment.unit == "ticks":
            frame = bisect_left(self.table.pts, int(moment.value))
            is_inside = int(self.table.pts[0]) <= moment.value <= self.end_tick
        else:
            seconds = self.seconds_of(moment, option)
            frame = self._frame_at_seconds(seconds)
            is_inside = seconds <= self.seconds_at(len(self.table)) + 1 / self.rate / 2
        if not is_inside:
            raise UsageError(f"{option} {moment.text!r} lies outside the clip; {self.describe()}")
        return frame

    def seconds_of(self, moment: Moment, option: str) -> Fraction:
        """Return a moment as seconds from the clip's start, as far as its rate says, wherever the clip ends.

        Raises:
            UsageError: a timecode that does not exist at the clip's rate.
        """
        if moment.unit == "ticks":
            return (moment.value - int(self.table.pts[0])) * self.table.time_base
        if moment.unit == "frame":
            return moment.value / self.rate
        return moment.value if moment.unit == "seconds" else self._label_seconds(moment, option)

    def describe(self) -> str:
        """Return the clip's length in each notation, for messages."""
        count = len(self.table)
        return (
            f"it has {count} frames: 0 to {count}, 00:00:00:00 to {self.timecode_at(count)} at {float(self.rate):.5g} "
            f"frames a second, 0s to {float(self.seconds_at(count)):.3f}s, pts:{self.table.pts[0]} to pts:{self.end_tick}"
        )

    def _frame_at_seconds(self, seconds: Fraction) -> int:
        # Containers round times to ticks: a frame may start half a tick before the time that it stands for.
        slack = min(self.table.time_base / 2, 1 / self.rate / 8)
        tick = int(self.table.pts[0]) + (seconds - slack) / self.table.time_base
        return int(np.searchsorted(self.table.pts, float(tick)))

    def _label_seconds(self, moment: Moment, option: str) -> Fraction:
        base, dropped = round(self.rate), _DROPPED.get(self.rate, 0)
        if moment.label_frames >= base:
            raise UsageError(f"{option} {moment.text!r}: the clip has {base} frames a second, numbered 0 to {base - 1}")
        count = int(moment.value) * base + moment.label_frames
        if moment.is_drop_frame:
            if not dropped:
                raise UsageError(
                    f"{option} {moment.text!r}: `;` is drop-frame timecode, for 29.97 and 59.94 frames a second; "
                    f"this clip has {float(self.rate):.5g}, write `:`"
                )
            minutes, seconds = divmod(int(moment.value), 60)
            if minutes % 10 and seconds == 0 and moment.label_frames < dropped:
                raise UsageError(f"{option} {moment.text!r} is one of the labels that drop-frame timecode leaves out")
            count -= dropped * (minutes - minutes // 10)
        return count / self.rate


def _frame_rate(table: FrameTable) -> Fraction:
    """Return the rate as people call it: 30000/1001 for what comes out as 29.9698."""
    if len(table) < 2:
        duration = int(table.duration[0]) if len(table) else 0
        return 1 / (duration * table.time_base) if duration else Fraction(25)
    span = int(table.pts[-1] - table.pts[0]) * table.time_base
    average = (len(table) - 1) / span
    rates = sorted({*_RATES, *_NTSC_RATES})
    tick_error = float(table.time_base / span)
    near = min(rates, key=lambda rate: abs(rate / average - 1))
    if abs(near / average - 1) <= _SAME_RATE + tick_error:
        return near
    step = Fraction(float(np.median(np.diff(table.pts)))).limit_denominator(2) * table.time_base
    near = min(rates, key=lambda rate: abs(rate * step - 1))
    return near if abs(near * step - 1) <= _NEAR_RATE else average.limit_denominator(1001)
