"""Ways to compute a step, and which one is quickest here: measured, said, and kept beside the model."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceswap.device import Compute
from faceswap.files import write_atomic
from faceswap.train.augment import Batch
from faceswap.train.config import TrainConfig
from faceswap.train.step import Stepper

StepOf = Callable[[Sequence[Batch], float], Tensor]

FILE = "engine.json"
_WARM_UP, _TIMED = 4, 7
_LONG_SECONDS, _LONG_STEPS = 8 * 3600.0, 200_000
"""Compiling for a CPU takes many minutes: shorter runs would not get them back."""


class GraphStepper:
    """Records a step's GPU work once and plays it again: nothing waits for Python any more.

    Gradients, their clipping and the optimiser's step are in the graph; what varies comes in through tensors that stay.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper, self._calls = stepper, 0
        self._graph: Any = None

    def __call__(self, batches: Sequence[Batch], rate: float) -> Tensor:
        self._calls += 1
        if self._calls <= _WARM_UP:  # the first steps choose algorithms and allocate the optimiser's state
            return self._stepper(batches, rate)
        batches = self._stepper.prepared(batches)
        self._stepper.set_rate(rate)
        if self._graph is None:
            self._capture(batches)
        for static, batch in zip(self._static, batches, strict=True):
            _copy(static, batch)
        self._graph.replay()
        return self._stepper.finished(self._loss)

    def _capture(self, batches: Sequence[Batch]) -> None:
        self._static = [_clone(batch) for batch in batches]
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss = self._stepper.update(self._stepper.gradients(self._static, 0.0))
        self._graph = graph


def make_engine(name: str, stepper: Stepper) -> StepOf:
    """Return a step computed in the way of that name: "eager", "compile" or "graph"."""
    if name == "graph":
        return GraphStepper(stepper)
    if name == "compile":
        network = stepper.state.network
        stepper.rebuild.encode = torch.compile(network.encode, dynamic=False)
        stepper.rebuild.decode = torch.compile(network.decode, dynamic=False)
    return stepper


def choose_engine(
    model: Path,
    config: TrainConfig,
    compute: Compute,
    *,
    is_plain: bool,
    num_processes: int = 1,
    make: Callable[[], tuple[Stepper, Sequence[Batch]]],
    on_note: Callable[[str], None],
) -> str:
    """Return the name of the quickest engine, from an earlier measurement or a new one.

    Args:
        is_plain: False = the stage does more than a recorded step holds (discriminator, parts, fp16): eager.
        num_processes: that share the batch; averaging gradients between them is never recorded.
        make: gives a stepper over a state of its own, to be thrown away, and batches.
    """
    if config.engine != "auto":
        usable = is_plain and (config.engine != "graph" or (compute.device.type == "cuda" and num_processes == 1))
        if config.engine != "eager" and not usable:
            where = f"{compute.device}" if num_processes == 1 else f"{num_processes} processes"
            on_note(f"engine {config.engine!r} cannot do this stage on {where}; it is computed eagerly")
        return config.engine if usable else "eager"
    candidates = _candidates(config, compute, num_processes)
    if not is_plain or len(candidates) == 1:
        return "eager"
    key = _key(config, compute, num_processes)
    known = _kept(model / FILE)
    if key not in known:
        known[key] = _measured(candidates, compute, make)
        model.mkdir(parents=True, exist_ok=True)
        write_atomic(model / FILE, json.dumps(known, indent=1).encode())
    times = {name: seconds for name, seconds in known[key].items() if isinstance(seconds, float)}
    chosen = min(times, key=lambda name: times[name]) if times else "eager"
    words = [f"{n} {v * 1000:.0f} ms" if isinstance(v, float) else f"{n} fails ({v})" for n, v in known[key].items()]
    on_note(f"a step takes {', '.join(words)}: {chosen}")
    return chosen


def _candidates(config: TrainConfig, compute: Compute, num_processes: int) -> list[str]:
    if compute.device.type == "cuda":
        return ["eager", "graph", "compile"] if num_processes == 1 else ["eager", "compile"]
    is_long = (config.budget_seconds or 0) >= _LONG_SECONDS or (config.steps or 0) >= _LONG_STEPS
    return ["eager", "compile"] if is_long else ["eager"]


def _key(config: TrainConfig, compute: Compute, num_processes: int) -> str:
    name = torch.cuda.get_device_name(compute.device) if compute.device.type == "cuda" else "cpu"
    network = config.network.model_dump_json()
    shared = f" / {num_processes}" if num_processes > 1 else ""
    return f"{name} {compute} torch {torch.__version__} batch {config.batch}{shared} {network}"


def _kept(path: Path) -> dict[str, dict[str, float | str]]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _measured(
    candidates: Sequence[str], compute: Compute, make: Callable[[], tuple[Stepper, Sequence[Batch]]]
) -> dict[str, float | str]:
    times: dict[str, float | str] = {}
    for name in candidates:
        try:
            stepper, batches = make()
            times[name] = _median_seconds(make_engine(name, stepper), batches, compute)
        except Exception as error:  # compilers and drivers fail in many ways; eager always works
            if name == "eager":
                raise
            times[name] = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
    return times


def _median_seconds(step: StepOf, batches: Sequence[Batch], compute: Compute) -> float:
    seconds = []
    for number in range(_WARM_UP + 2 + _TIMED):
        start = time.perf_counter()
        float(step(batches, 1e-6))  # waits for the device
        if number >= _WARM_UP + 2:
            seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds), 5)


def _copy(static: Batch, batch: Batch) -> None:
    for field in fields(Batch):
        place, value = getattr(static, field.name), getattr(batch, field.name)
        if place is not None:
            place.copy_(value)


def _clone(batch: Batch) -> Batch:
    return replace(batch, **{f.name: v.clone() for f in fields(batch) if (v := getattr(batch, f.name)) is not None})
