"""Times of stages on a device: what the device was busy with, not how long it took to ask for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from faceswap.progress import StageTimes


class StageClock:
    """Adds the time of stages to a `StageTimes`: on CUDA by events, which are read when they have passed."""

    def __init__(self, times: StageTimes, device: torch.device) -> None:
        self._times, self._device = times, device
        self._pending: deque[tuple[str, torch.cuda.Event, torch.cuda.Event]] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of the block to `stage`; on CUDA that between its first and last launch on the current stream."""
        if self._device.type != "cuda":
            with self._times.measure(stage):
                yield
            return
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        stream = torch.cuda.current_stream(self._device)
        start.record(stream)
        yield
        end.record(stream)
        self._pending.append((stage, start, end))
        self.collect()

    def collect(self, *, wait: bool = False) -> None:
        """Take in the stages that are done; `wait` = all, however long that takes."""
        with self._lock:
            while self._pending:
                stage, start, end = self._pending[0]
                if wait:
                    end.synchronize()
                elif not end.query():
                    return
                self._times.add({stage: start.elapsed_time(end) / 1000})
                self._pending.popleft()
