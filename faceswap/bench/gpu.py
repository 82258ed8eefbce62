"""What a GPU does while something else runs, by NVIDIA's management library (extra: cuda)."""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

_STEP_SECONDS = 0.05


class GpuWatch:
    """Samples a GPU's load and memory in a thread; `figures` is empty on the CPU or without `nvidia-ml-py`."""

    def __init__(self, number: int | None) -> None:
        """Make a watch.

        Args:
            number: of the GPU; None = there is nothing to watch.
        """
        self._number = number if importlib.util.find_spec("pynvml") is not None else None
        self._samples: list[tuple[float, float]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="gpu-watch", daemon=True)

    def __enter__(self) -> GpuWatch:
        if self._number is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._number is not None:
            self._thread.join()

    @property
    def figures(self) -> dict[str, Any]:
        """Return the share of time in which nothing ran on the GPU, and the most memory that was taken."""
        if not self._samples:
            return {}
        loads, memories = zip(*self._samples, strict=True)
        return {
            "device_idle_share": round(1 - sum(loads) / len(loads), 3),
            "peak_vram_mb": round(max(memories) / 2**20),
        }

    def _sample(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(self._number)
        while not self._is_over.wait(_STEP_SECONDS):
            load = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            self._samples.append((load, float(pynvml.nvmlDeviceGetMemoryInfo(handle).used)))
        pynvml.nvmlShutdown()
