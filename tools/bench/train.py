"""How much faster is our training step than a plain loop?

    python tools/bench/train.py [--recipe original-64 df-128 ...] [--rounds 7] [--json tools/bench/results/train-cpu-2-cores.json]

Three forms of the same step alternate on the same network, batch, data and losses, all augmentation included. Each has a
process of its own, since the third keeps freed memory as `faceswap train` does and the others as Python does:

    plain       fp32, eager, contiguous, AdamW as it comes; each sample is varied by numpy and OpenCV, one after the other;
                convolutions (but for those of `hd`) and the windows of DSSIM as PyTorch offers them
    fast loss   the same with our DSSIM (banded matrix products)
    ours        `faceswap.train`: batched augmentation, the chosen precision, channels last, fused optimiser, averaged weights

Each round times three steps of each; medians and quartiles are given. The first round is not counted. Time of the
processor is given beside that of the wall: it says something on a busy machine too, best with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faceswap import geometry
from faceswap.bench.run import circumstances
from faceswap.device import Compute, choose_compute
from faceswap.heap import keep_freed_memory
from faceswap.models import convolve
from faceswap.models.registry import build_network, count_parameters
from faceswap.models.spec import SwapSpec
from faceswap.recipes import load_recipe
from faceswap.train import losses
from faceswap.train.augment import Sampler, exchange_colors
from faceswap.train.config import TrainConfig
from faceswap.train.data import FacePack
from faceswap.train.state import TrainState
from faceswap.train.step import Stepper
from faceswap.types import CropSpec

_FACES = 128
_STEPS_A_TURN = 3
ORIGINAL = {"network": {"name": "original", "size": 64}, "batch": 16, "steps": 1}


def make_pack(actor: str, size: int, seed: int) -> FacePack:
    """Return faces of soft noise: what they show has no say in the time."""
    crop = CropSpec(size, "face")
    stored = CropSpec(round(size * 1.9), "whole_face", 0.12)
    rng = np.random.default_rng(seed)
    faces = []
    for _ in range(_FACES):
        small = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        rgb = cv2.resize(small, (stored.size, stored.size), interpolation=cv2.INTER_CUBIC)
        mask = cv2.circle(np.zeros(rgb.shape[:2], np.uint8), (stored.size // 2,) * 2, stored.size // 3, 255, -1)
        faces.append(np.dstack([rgb, mask]).transpose(2, 0, 1))
    return FacePack(actor, torch.from_numpy(np.stack(faces)), geometry.patch_from_patch(crop, stored), size)


class PlainLoop:
    """What one writes first: a clear loop over samples, and torch's defaults."""

    def __init__(self, config: TrainConfig, packs: list[FacePack], *, has_fast_loss: bool) -> None:
        torch.manual_seed(0)
        self._config, self._has_fast_loss = config, has_fast_loss
        self._packs = [(pack.pixels.numpy(), pack.model_from_pack) for pack in packs]
        self._network = build_network(config.network, len(packs))
        self._optimizer = torch.optim.AdamW(self._network.parameters(), lr=1e-5, betas=(0.5, 0.99))
        self._rng = np.random.default_rng(0)

    def step(self) -> float:
        self._optimizer.zero_grad()
        total = torch.zeros(())
        for identity, (pixels, matrix) in enumerate(self._packs):
            samples = [self._sample(pixels, matrix) for _ in range(self._config.batch)]
            inputs, truth, mask = (torch.from_numpy(np.stack(part)) for part in zip(*samples, strict=True))
            face, own_mask = self._network(inputs, identity)
            total = total + self._loss(face, own_mask, truth, mask)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        return float(total.detach())

    def _sample(self, pixels: NDArray[np.uint8], matrix: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        settings, size, rng = self._config.augment, self._config.network.size, self._rng
        face = pixels[rng.integers(len(pixels))].transpose(1, 2, 0)
        angle = np.radians(rng.uniform(-1, 1) * settings.rotation_degrees)
        scale = np.exp(rng.uniform(-1, 1) * settings.scale)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
        shift = size / 2 - turn @ [size / 2, size / 2] + rng.uniform(-1, 1, 2) * settings.shift * size
        model_from_pack = geometry.compose(np.c_[turn, shift], matrix)
        inverse = geometry.invert(model_from_pack)
        y, x = np.mgrid[:size, :size] + 0.5
        points = np.stack([x, y], axis=-1)
        nodes = rng.normal(0, 0.5 * settings.warp * size, (5, 5, 2)).astype(np.float32)
        warped = points + cv2.resize(nodes, (size, size), interpolation=cv2.INTER_CUBIC)
        pictures = []
        for places in (points, warped):
            there = (places @ inverse[:, :2].T + inverse[:, 2] - 0.5).astype(np.float32)
            pictures.append(cv2.remap(face, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        gain = np.exp(rng.uniform(-1, 1) * settings.light + rng.uniform(-1, 1, 3) * settings.tint)
        contrast = np.exp(rng.uniform(-1, 1) * settings.light)
        truth, inputs = (self._relit(picture[..., :3], gain, contrast) for picture in pictures)
        mask = pictures[0][..., 3:].astype(np.float32) / 255
        return tuple(np.ascontiguousarray(part.transpose(2, 0, 1)) for part in (inputs, truth, mask))  # type: ignore[return-value]

    @staticmethod
    def _relit(rgb: NDArray, gain: NDArray, contrast: float) -> NDArray[np.float32]:
        linear = np.maximum(rgb.astype(np.float32) / 255, 1e-4) ** 2.2 * gain
        return (np.clip(0.18 * (linear / 0.18) ** contrast, 1e-4, 1) ** (1 / 2.2)).astype(np.float32)

    def _loss(self, face: Tensor, mask: Tensor, truth: Tensor, truth_mask: Tensor) -> Tensor:
        wanted = losses.Truth(truth, truth_mask, truth_mask)
        if self._has_fast_loss:
            return losses.swap_loss(face, mask, wanted, self._config.loss)
        fast, losses._blur = losses._blur, _plain_blur
        try:
            return losses.swap_loss(face, mask, wanted, self._config.loss)
        finally:
            losses._blur = fast


def _plain_blur(images: Tensor) -> Tensor:
    """The 11-tap window as a convolution of each channel, as most losses have it."""
    x = torch.arange(11) - 5
    line = torch.exp(-(x**2) / (2 * 1.5**2))
    window = torch.outer(line / line.sum(), line / line.sum())
    channels = images.shape[1]
    return functional.conv2d(images, window.expand(channels, 1, 11, 11), groups=channels)


def our_loop(config: TrainConfig, packs: list[FacePack], compute: Compute) -> Callable[[], float]:
    """Return our step; calling it does one and returns the share of its time that went into drawing the batch."""
    keep_freed_memory()
    spec = SwapSpec(network=config.network, crop=config.crop, identities=tuple(pack.actor for pack in packs))
    state = TrainState.create(spec, config, compute)
    train_step = Stepper(state, config, compute)
    sampler = Sampler(config.augment, config.network.size, state.generator, compute.device)

    def step() -> float:
        start = time.perf_counter()
        batches = [sampler.draw(pack, config.batch, warp=True) for pack in packs]
        batches = exchange_colors(batches, config.augment.exchange, state.generator)
        drawn = time.perf_counter() - start
        float(train_step(batches, 1e-5))
        return drawn / (time.perf_counter() - start)

    return step


KINDS = ("plain", "fast_loss", "ours")


def _serve(pipe: Connection, kind: str, config: TrainConfig, device: str) -> None:
    """Do some steps for each message; answer, for one step: wall seconds, processor's seconds, share that drew the batch,
    page faults; and the largest memory, MB."""
    packs = [make_pack(actor, config.network.size, number) for number, actor in enumerate(("ada", "bea"))]
    if kind == "ours":
        step = our_loop(config, packs, choose_compute(device))
    else:
        convolve.same, convolve.halving = _plain_same, _plain_halving  # type: ignore[assignment]  # for good: own process
        step = PlainLoop(config, packs, has_fast_loss=kind == "fast_loss").step
    while pipe.recv():
        before, start, busy = getrusage(RUSAGE_SELF), time.perf_counter(), time.process_time()
        share = float(np.median([step() for _ in range(_STEPS_A_TURN)]))
        spent, busy, after = time.perf_counter() - start, time.process_time() - busy, getrusage(RUSAGE_SELF)
        each = np.array([spent, busy, after.ru_minflt - before.ru_minflt]) / _STEPS_A_TURN
        pipe.send((each[0], each[1], share, each[2], after.ru_maxrss / 1024))


def measure(config: TrainConfig, rounds: int, device: str) -> dict[str, NDArray[np.float64]]:
    """Return what `_serve` answers, (rounds, 5) for each kind of step."""
    context = get_context("spawn")
    pipes, processes = {}, []
    for kind in KINDS:
        pipes[kind], theirs = context.Pipe()
        processes.append(context.Process(target=_serve, args=(theirs, kind, config, device), daemon=True))
        processes[-1].start()
        theirs.close()  # so that a process that dies ends the waiting
    answers: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in KINDS}
    for number in range(rounds + 1):
        for kind, pipe in pipes.items():
            pipe.send(True)
            answer = pipe.recv()
            if number:  # the first turn warms up
                answers[kind].append(answer)
    for pipe in pipes.values():
        pipe.send(False)
    for process in processes:
        process.join()
    return {kind: np.array(rows) for kind, rows in answers.items()}


def compare(name: str, config: TrainConfig, rounds: int, device: str) -> dict[str, Any]:
    """Return the figures of one recipe."""
    answers = measure(config, rounds, device)
    seconds, busy, share, faults, memory = (
        {kind: float(value) for kind, value in zip(KINDS, column, strict=True)}
        for column in np.array([np.median(answers[kind], axis=0) for kind in KINDS]).T
    )
    return {
        "recipe": name,
        "network": config.network.model_dump(),
        "parameters_m": round(count_parameters(build_network(config.network, 2)) / 1e6, 1),
        "batch": f"2 x {config.batch}",
        "seconds_a_step": {kind: round(value, 4) for kind, value in seconds.items()},
        "cpu_seconds_a_step": {kind: round(value, 4) for kind, value in busy.items()},
        "quartiles": {k: np.quantile(v[:, 0], [0.25, 0.75]).round(4).tolist() for k, v in answers.items()},
        "page_faults_a_step": {kind: round(value) for kind, value in faults.items()},
        "peak_rss_mb": {kind: round(value) for kind, value in memory.items()},
        "plain_over_ours": round(seconds["plain"] / seconds["ours"], 2),
        "fast_loss_over_ours": round(seconds["fast_loss"] / seconds["ours"], 2),
        "plain_over_ours_cpu": round(busy["plain"] / busy["ours"], 2),
        "threads": torch.get_num_threads(),
        "waits_for_data": round(share["ours"], 4),
        "rounds": rounds,
    }


def _plain_same(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def _plain_halving(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.conv2d(x, weight, bias, stride=2, padding=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", nargs="+", default=["original-64", "quick-64"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    conditions = circumstances(options.device)
    conditions["commit"] = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    results = []
    for name in options.recipe:
        values = ORIGINAL if name == "original-64" else {**load_recipe(name), "steps": 1}
        figures = compare(name, TrainConfig.model_validate(values), options.rounds, options.device)
        results.append(figures)
        times = ", ".join(f"{kind} {value:.3f} s" for kind, value in figures["seconds_a_step"].items())
        print(
            f"{name} ({figures['parameters_m']} M parameters, batch {figures['batch']}): {times}; "
            f"{figures['plain_over_ours']:.2f} times a plain loop, {figures['fast_loss_over_ours']:.2f} times one with the "
            f"fast loss, {figures['plain_over_ours_cpu']:.2f} in time of the processor; "
            f"waits for data {figures['waits_for_data']:.1%}"
        )
    if options.json:
        options.json.write_text(json.dumps({"results": results, "circumstances": conditions}, indent=1) + "\n")


if __name__ == "__main__":
    main()
