"""How long the device waits for data: the share of a step that goes into drawing its batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Clock:
    """Times the drawing of batches and whole steps without making the host wait for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._is_gpu = device.type == "cuda"
        self._spans: dict[str, list[tuple[object, object]]] = {"draw": [], "step": []}

    @contextmanager
    def measure(self, what: str) -> Iterator[None]:
        """Time a block, "draw" or "step"."""
        start = self._now()
        yield
        self._spans[what].append((start, self._now()))

    def waits(self) -> float:
        """Return the share of drawing in all since the last call, [0, 1]; call it when the device has been waited for."""
        seconds = {what: sum(self._between(*span) for span in spans) for what, spans in self._spans.items()}
        for spans in self._spans.values():
            spans.clear()
        return seconds["draw"] / max(seconds["draw"] + seconds["step"], 1e-9)

    def _now(self) -> object:
        if not self._is_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, start: object, stop: object) -> float:
        if isinstance(start, float) and isinstance(stop, float):
            return stop - start
        return start.elapsed_time(stop) / 1000  # type: ignore[attr-defined]
