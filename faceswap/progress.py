"""How long work tells others where it is: progress events, and time per stage."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a running stage."""

    stage: str
    done: int
    total: int | None
    """None when nobody knows (clips without a frame count)."""
    unit: str = "frames"
    details: Mapping[str, float | str] = field(default_factory=dict)


OnProgress = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """The default listener."""


def used_cpu_seconds() -> float:
    """Return the processor time of this process and of those it started that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class StageTimes:
    """Busy seconds per named stage; stages may run in different threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the wall time of the block to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({stage: time.perf_counter() - start})

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what was measured elsewhere."""
        with self._lock:
            for stage, busy in seconds.items():
                self.seconds[stage] += busy

    def ms_per(self, count: int) -> dict[str, float]:
        """Return milliseconds per item for each stage."""
        return {stage: round(1000 * seconds / max(count, 1), 3) for stage, seconds in self.seconds.items()}
