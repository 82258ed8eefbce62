"""Which runner is quickest here, by a short measurement that is kept in the user's cache folder.

The choice belongs to a conversion's facts: other runners give other last bits, so a conversion that goes on keeps its own.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any

import torch

from faceswap import __version__
from faceswap.device import shared_cpu
from faceswap.errors import FaceswapError
from faceswap.files import write_atomic
from faceswap.models.runners import AUTO, Runner, checked_runner, runner_names
from faceswap.models.swap_model import SwapModel
from faceswap.store import cache_home

_SECONDS = 2.0
"""Measuring time of all candidates together; making them comes on top (about a second)."""
_MEASURE = 2
"""Of how it is measured; a higher number means that what was kept says nothing."""
_ROUNDS = 6
_MAX_ROUND_SECONDS = 1.5
"""Of a round of all candidates; large networks are measured with a single face instead of a batch."""
_PRECISE_BONUS = 1.1
"""float32 is taken where it needs at most this much more time than what is quickest."""


@dataclass(frozen=True, slots=True)
class RunnerChoice:
    """The runner of a model, and why."""

    runner: str
    reason: str
    """"probed", "probed before", "as asked" ..."""
    ms: Mapping[str, float]
    """Milliseconds a face of each runner that was measured."""

    @property
    def words(self) -> str:
        """Say it in a line: "onnxruntime-fp32, 11.2 ms a face; probed (torch-fp32 17.0)"."""
        others = ", ".join(f"{name} {ms:.1f}" for name, ms in sorted(self.ms.items()) if name != self.runner)
        mine = f", {self.ms[self.runner]:.1f} ms a face" if self.runner in self.ms else ""
        return f"{self.runner}{mine}; {self.reason}" + (f" ({others})" if others else "")


def chosen_runner(model: SwapModel, batch: int, wish: str = AUTO, *, folder: Path | None = None) -> RunnerChoice:
    """Return the runner for a model: the one asked for, or the quickest, measured or remembered.

    Args:
        batch: patches that come together. wish: a runner's name, or "auto".
        folder: where measurements are kept; None = the user's cache folder.

    Raises:
        UsageError: there is no runner of that name on the model's device.
    """
    if wish != AUTO:
        return RunnerChoice(checked_runner(wish, model.compute), "as asked", {})
    with shared_cpu(model.compute):
        key = _circumstances(model, batch)
        text = json.dumps(key, sort_keys=True)
        path = (folder or cache_home() / "probes") / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        kept = _kept(path, key)
        ms = kept or _measured(model, batch)
    if not kept and ms:
        with suppress(OSError):  # a cache that cannot be written costs two seconds next time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps({"circumstances": key, "ms": ms}, indent=1).encode())
    if not ms:
        return RunnerChoice(model.runner, "nothing could be measured", {})
    return RunnerChoice(quickest(ms), "probed before" if kept else "probed", ms)


def quickest(ms: Mapping[str, float]) -> str:
    """Return the quickest runner; float32 where it is nearly as quick as what is less exact."""
    best = min(ms.values())
    near = [name for name, value in ms.items() if value <= _PRECISE_BONUS * best and name.endswith("fp32")]
    return min(near or ms, key=lambda name: ms[name])


def candidates(model: SwapModel) -> list[str]:
    """Return the runners that are worth measuring; the compiler alone takes longer to start than all of that may last."""
    usual = {torch.bfloat16: ("bf16", "fp32")}.get(model.compute.dtype, ("fp32",))
    names = [name.rpartition("-") for name in runner_names(model.compute)]
    return [f"{engine}-{precision}" for engine, _, precision in names if engine != "compile" and precision in usual]


def _circumstances(model: SwapModel, batch: int) -> dict[str, Any]:
    return {
        "network": model.spec.network.model_dump(mode="json"),
        "batch": batch,
        "candidates": candidates(model),
        "device": model.compute.name,
        "threads": torch.get_num_threads() if model.compute.device.type == "cpu" else 0,
        "measure": _MEASURE,
        "versions": {"faceswap": __version__, **{name: _version(name) for name in ("torch", "onnxruntime")}},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # onnxruntime has other names for other devices
        return "?"


def _kept(path: Path, key: Mapping[str, Any]) -> dict[str, float] | None:
    """Return what was measured before; None when there is nothing, or nothing sound."""
    try:
        entry = json.loads(path.read_bytes())
        ms = {name: float(value) for name, value in entry["ms"].items()}
        is_sound = entry["circumstances"] == key and bool(ms) and set(ms) <= set(key["candidates"])
        return ms if is_sound and all(0 < value < float("inf") for value in ms.values()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _measured(model: SwapModel, batch: int) -> dict[str, float]:
    """Return milliseconds a face of each candidate that runs here; they take turns, and the best of some rounds counts."""
    size, device = model.crop.size, model.compute.device
    one = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    runners: dict[str, Runner] = {}
    first: dict[str, float] = {}
    for name in candidates(model):
        with suppress(FaceswapError, RuntimeError):  # not here, or not enough memory: one less to choose from
            runner = model.new_runner(name, batch)
            with torch.inference_mode():
                runner(one, 0)
                first[name] = _seconds(runner, one, device)
            runners[name] = runner
    count = batch if sum(first.values()) * batch < _MAX_ROUND_SECONDS else 1
    patches = one.expand(count, -1, -1, -1).contiguous()
    best: dict[str, float] = {name: float("inf") for name in runners}
    stop = time.perf_counter() + _SECONDS
    with torch.inference_mode():
        for number, name in product(range(_ROUNDS), runners):
            if number and time.perf_counter() > stop:
                break
            best[name] = min(best[name], _seconds(runners[name], patches, device) / count)
    return {name: round(1000 * seconds, 3) for name, seconds in best.items()}


def _seconds(runner: Runner, patches: torch.Tensor, device: torch.device) -> float:
    """Return how long a pass takes. On the CPU it is the processor's time over the threads: what else runs has no say in it."""
    if device.type == "cpu":
        start = time.process_time()
        runner(patches, 0)
        return (time.process_time() - start) / torch.get_num_threads()
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    runner(patches, 0)
    torch.cuda.synchronize(device)
    return time.perf_counter() - start
