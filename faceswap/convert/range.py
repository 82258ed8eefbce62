"""Which frames of a clip are to be swapped: shots by number, a stretch from start to end, or both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faceswap.convert.timecode import ClipClock, Moment
from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex

Ranges = tuple[tuple[int, int], ...]
"""Half-open runs of frames, sorted, without overlap."""

_SHOTS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """A choice of frames as it was asked for; its words are checked, its values only against a clip (`ranges`)."""

    shots: tuple[tuple[int, int], ...] | None = None
    """First and last number, from 1, both included; None = all."""
    start: Moment | None = None
    end: Moment | None = None
    """The first moment after the choice."""
    before: str = "--"
    """What stands before the names of the settings in messages: "--" for options."""

    @classmethod
    def parse(
        cls, shots: str | None = None, start: str | None = None, end: str | None = None, *, before: str = "--"
    ) -> FrameChoice:
        """Read the words of `--shots`, `--start`, `--end`.

        Raises:
            UsageError: what is not understood, with what is allowed.
        """
        return cls(
            None if shots is None else _parse_shots(shots, f"{before}shots"),
            None if start is None else Moment.parse(start, f"{before}start"),
            None if end is None else Moment.parse(end, f"{before}end"),
            before,
        )

    @property
    def is_everything(self) -> bool:
        return self.shots is None and self.start is None and self.end is None

    def ranges(self, index: FaceIndex) -> Ranges:
        """Return the chosen frames; what is in the shots and between start and end.

        Raises:
            UsageError: no such shot or moment, or nothing is left.
        """
        clock = ClipClock.of(index.frames)
        sign = self.before
        first = 0 if self.start is None else clock.frame_at(self.start, f"{sign}start")
        after = index.num_frames if self.end is None else clock.frame_at(self.end, f"{sign}end")
        if first >= after:
            start, end = (moment.text if moment else "not given" for moment in (self.start, self.end))
            raise UsageError(f"{sign}start {start} and {sign}end {end} leave no frame between them; {clock.describe()}")
        if self.shots is None:
            return ((first, after),)
        runs = [run for number in self._shot_numbers(index) if (run := _within(index, number, first, after))]
        if not runs:
            raise UsageError(
                f"the shots of {sign}shots lie outside {sign}start and {sign}end (frames {first} to {after}); "
                "`faceswap shots` lists the shots"
            )
        return _joined(runs)

    def _shot_numbers(self, index: FaceIndex) -> list[int]:
        """Return the chosen shots, counted from 0."""
        assert self.shots is not None
        count = len(index.shots)
        for low, high in self.shots:
            for number in (low, high):
                if not 1 <= number <= count:
                    known = "one shot: 1" if count == 1 else f"{count} shots: 1 to {count}"
                    raise UsageError(
                        f"{self.before}shots: there is no shot {number}; the clip has {known} (`faceswap shots` lists them)"
                    )
        return sorted({number - 1 for low, high in self.shots for number in range(low, high + 1)})


def span(ranges: Ranges) -> tuple[int, int]:
    """Return the half-open run from the first chosen frame to the last: what `--trim` keeps."""
    return ranges[0][0], ranges[-1][1]


def _parse_shots(text: str, option: str) -> tuple[tuple[int, int], ...]:
    runs = []
    for word in text.split(","):
        match = _SHOTS.fullmatch(word.strip())
        if match is None:
            raise UsageError(f"{option} {text!r} is not understood; allowed: numbers and ranges from 1, like 3,7-9")
        low, high = int(match[1]), int(match[2] or match[1])
        if low > high:
            raise UsageError(f"{option} {text!r}: {word.strip()} runs backwards; write {high}-{low}")
        runs.append((low, high))
    return tuple(runs)


def _within(index: FaceIndex, number: int, first: int, after: int) -> tuple[int, int] | None:
    shot = index.shots[number]
    start, stop = max(shot.start, first), min(shot.stop, after)
    return (start, stop) if start < stop else None


def _joined(runs: list[tuple[int, int]]) -> Ranges:
    joined = [runs[0]]
    for start, stop in runs[1:]:
        if start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)
