"""Timing conversions as a user meets them, by size of the face, size of the picture and batch, against a bare transcode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from faceswap.bench.common import PRESET, RATE, enlarged, timed
from faceswap.bench.gpu import GpuWatch
from faceswap.config import validated
from faceswap.demo.actor import ASTRONAUT
from faceswap.device import Compute, choose_compute
from faceswap.errors import UsageError
from faceswap.media.encode_plan import EncodeSettings
from faceswap.media.generate import write_clip
from faceswap.media.transcode import transcode
from faceswap.models.probe import chosen_runner
from faceswap.models.spec import SwapSpec
from faceswap.models.swap_model import SwapModel
from faceswap.progress import used_cpu_seconds
from faceswap.provenance.consent import ConsentRecord, Subject, new_record
from faceswap.recipes import load_recipe
from faceswap.train.config import TrainConfig
from faceswap.train.state import TrainState

RECIPES = {64: "quick-64", 128: "df-128", 256: "df-256", 512: "df-256"}
"""By size of the face: whose network is timed; at 512 px it is that of 256 px at twice its size."""
PICTURES = {720: (720, 1280), 1080: (1080, 1920), 2160: (2160, 3840)}
"""By lines: (h, w) px."""


@dataclass(frozen=True, slots=True)
class ConvertCases:
    """What is timed: every face size in every picture size in every batch."""

    sizes: Sequence[int]
    """Keys of `RECIPES`."""
    lines: Sequence[int]
    """Keys of `PICTURES`."""
    batches: Sequence[int]
    recipe: str | None = None
    """One recipe for all instead of those of the sizes."""

    @classmethod
    def of(
        cls,
        compute: Compute,
        *,
        sizes: str | None = None,
        lines: str | None = None,
        batches: str | None = None,
        recipe: str | None = None,
        is_quick: bool = False,
    ) -> ConvertCases:
        """Return the cases for what a user said in comma lists; what was left out follows from the device.

        Raises:
            UsageError: not numbers, or sizes that there are none of.
        """
        is_gpu = compute.device.type == "cuda" and not is_quick
        usual_sizes = (128, 256, 512) if is_gpu else (64,) if is_quick else (64, 128)
        usual_lines = (1080, 2160) if is_gpu else (720,) if is_quick else (720, 1080)
        if recipe is not None and sizes is None:
            usual_sizes = (validated(TrainConfig, load_recipe(recipe), recipe).network.size,)
        return cls(
            _numbers(sizes, "--sizes", None if recipe else RECIPES) or usual_sizes,
            _numbers(lines, "--pictures", PICTURES) or usual_lines,
            _numbers(batches, "--batches", None) or ((1, 8, 16) if is_gpu else (8,)),
            recipe,
        )

    def recipe_of(self, size: int) -> str:
        """Return the recipe whose network has this size, or is given it."""
        return self.recipe or RECIPES[size]


def _numbers(text: str | None, option: str, allowed: dict[int, Any] | None) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in (text or "").split(",") if word.strip())
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is not a list of numbers; write them like 64,128") from error
    wrong = [n for n in numbers if n < 1 or (allowed is not None and n not in allowed)]
    if wrong:
        there_are = ", ".join(map(str, allowed)) if allowed else "1 and more"
        raise UsageError(f"{option} has no {wrong[0]}; there are: {there_are}")
    return numbers


def bench_convert(
    work: Path, cases: ConvertCases, num_frames: int, device: str, seed: int, on_note: Callable[[str], None]
) -> dict[str, Any]:
    """Return figures of each case; each is two conversions in fresh processes, the second with the index of the first.

    Args:
        work: an empty folder.
    """
    compute = choose_compute(device)
    models = {size: _untrained(work / f"model-{size}", cases.recipe_of(size), size, seed) for size in cases.sizes}
    results = []
    for lines in cases.lines:
        clip = work / f"target-{lines}.mp4"
        write_clip(clip, enlarged(ASTRONAUT, num_frames, PICTURES[lines], seed), rate=RATE)
        for size, batch in product(cases.sizes, cases.batches):
            on_note(
                f"convert: {num_frames} frames of {lines} lines, {cases.recipe_of(size)} at {size} px, batch {batch}"
            )
            head = {"picture": "{1}x{0}".format(*PICTURES[lines]), "recipe": cases.recipe_of(size), "size": size}
            # Beside each case, not once for all: on a shared machine only what runs at the same time can be compared.
            bare = _bare_transcode(clip, work / "bare.mp4")
            results.append(
                {**head, "batch": batch, **_case(clip, models[size], batch, num_frames, device, compute, bare)}
            )
            (work / "out.mp4").unlink()
    return {"frames": num_frames, "preset": PRESET, "cases": results}


def _case(
    clip: Path,
    model: Path,
    batch: int,
    num_frames: int,
    device: str,
    compute: Compute,
    bare: tuple[float, float],
) -> dict[str, Any]:
    settings = clip.with_name("settings.toml")
    # As a long conversion chooses; these clips are too short for a measurement of their own.
    runner = chosen_runner(SwapModel.load(model, device=device), batch)
    settings.write_text(f"batch = {batch}\nrunner = '{runner.runner}'\n", encoding="utf-8")
    command = ["convert", str(clip), "-m", str(model), "-o", str(clip.with_name("out.mp4")), "--preset", PRESET]
    command += ["--settings", str(settings), "--device", device, "--no-figures", "--json"]
    for kept in clip.parent.glob(".faceswap/*.db"):
        kept.unlink()
    number = (compute.device.index or 0) if compute.device.type == "cuda" else None
    with GpuWatch(number) as watch:
        seconds, summary = timed([*command, "--overwrite"])
    _, again = timed([*command, "--overwrite"])
    bare_seconds, bare_cpu = bare
    return {
        "faces": summary["faces"],
        "runner": runner.runner,
        "fps_cold": round(num_frames / seconds, 2),
        "fps": summary["fps"],
        "fps_index_reused": again["fps"],
        "fps_bare_transcode": round(num_frames / bare_seconds, 2),
        "time_over_bare_transcode": round(summary["seconds"] / bare_seconds, 2),
        "cpu_ms_per_frame": round(1000 * summary["cpu_seconds"] / num_frames, 2),
        "cpu_ms_per_frame_bare_transcode": round(1000 * bare_cpu / num_frames, 2),
        "ms_per_frame": again["ms_per_frame"] | {"analyse": summary["ms_per_frame"]["analyse"]},
        "ms_a_face_by_runner": dict(runner.ms),
        "peak_rss_mb": summary["peak_rss_mb"],
        **watch.figures,
    }


def _untrained(model: Path, recipe: str, size: int, seed: int) -> Path:
    """Save a model as it is before training, and return its folder: its speed is that of a trained one."""
    values = {**load_recipe(recipe), "seed": seed, "steps": 1}
    values["network"] = {**values.get("network", {}), "size": size}
    config = validated(TrainConfig, values, recipe)
    spec = SwapSpec(network=config.network, crop=config.crop, identities=("android", "astronaut"))
    state = TrainState.create(spec, config, choose_compute("cpu"))
    state.consents = {identity: (_consent(spec.identities),) for identity in spec.identities}
    state.save(model, config)
    return model


def _consent(identities: tuple[str, ...]) -> ConsentRecord:
    """Return a record for the drawn actors of the footage; it stays in the bench's own models."""
    portrait = "drawn after a portrait in the public domain; timing only, the pictures are thrown away"
    subject = Subject(name="Eileen Collins", identities=identities, adult_attested=True)
    return new_record(subject, "public_domain", "faceswap bench", reason=portrait)


def _bare_transcode(source: Path, output: Path) -> tuple[float, float]:
    """Return wall and CPU seconds of decoding and encoding alone, through the same reader and writer."""
    used, start = used_cpu_seconds(), time.perf_counter()
    transcode(source, output, EncodeSettings(preset=PRESET))
    return time.perf_counter() - start, used_cpu_seconds() - used
