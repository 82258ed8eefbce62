"""Timing conversion, training and the search for faces as a user meets them: fresh processes, cold, with everything included.

Footage is generated, so that every machine times the same work. Stages are timed inside the same run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceswap.bench.common import RATE, circumstances, enlarged, timed
from faceswap.bench.convert import ConvertCases, bench_convert
from faceswap.bench.faces import bench_faces
from faceswap.demo.actor import ANDROID, ASTRONAUT, render_clip
from faceswap.device import choose_compute
from faceswap.errors import UsageError
from faceswap.facesets.build import extract_faces
from faceswap.media.generate import write_clip

_SIZE = (720, 1280)
_BENCHES = ("convert", "train", "faces")


def run_bench(
    what: str,
    *,
    num_frames: int,
    num_steps: int,
    recipe: str,
    device: str,
    seed: int,
    on_note: Callable[[str], None],
    cases: ConvertCases | None = None,
) -> dict[str, Any]:
    """Return figures and the circumstances they hold under, ready for JSON.

    Args:
        what: "convert", "train", "faces" or "all". recipe: whose training is timed.
        cases: the conversions that are timed; None = some that suit the device.

    Raises:
        UsageError: another word. FaceswapError: a timed command failed.
    """
    if what not in (*_BENCHES, "all"):
        raise UsageError(f"no benchmark {what!r}; there are: {', '.join(_BENCHES)}, all")
    results: dict[str, Any] = {}
    conditions = circumstances(device)
    with tempfile.TemporaryDirectory(prefix="faceswap-bench-") as folder:
        work = Path(folder)
        if what in ("convert", "all"):
            chosen = cases or ConvertCases.of(choose_compute(device))
            results["convert"] = bench_convert(work, chosen, num_frames, device, seed, on_note)
        if what in ("train", "all"):
            on_note(f"train: {num_steps} steps of {recipe}")
            results["train"] = _bench_train(work, num_steps, recipe, device, seed)
        if what in ("faces", "all"):
            on_note(f"faces: {num_frames} frames of {_SIZE[1]}x{_SIZE[0]} with one face")
            results["faces"] = _bench_faces(work, num_frames, device, seed)
    return {"results": results, "circumstances": conditions}


def _bench_faces(work: Path, num_frames: int, device: str, seed: int) -> dict[str, Any]:
    clip = work / "faces.mp4"
    write_clip(clip, enlarged(ASTRONAUT, num_frames, _SIZE, seed), rate=RATE)
    return {"size": f"{_SIZE[1]}x{_SIZE[0]}", **bench_faces(clip, work, device)}


def _bench_train(work: Path, num_steps: int, recipe: str, device: str, seed: int) -> dict[str, Any]:
    sets = {}
    for number, (actor, look) in enumerate((("android", ANDROID), ("astronaut", ASTRONAUT))):
        clip = work / f"{actor}.mp4"
        write_clip(clip, render_clip(look, num_frames=32, seed=seed + number), rate=RATE)
        extract_faces([clip], work / actor, actor)
        sets[actor] = str(work / actor)
    command = ["train", "--source", sets["android"], "--target", sets["astronaut"], "-m", str(work / "trained")]
    seconds, summary = timed(
        [*command, "--recipe", recipe, "--steps", str(num_steps), "--device", device], is_json=False
    )
    events = [json.loads(line) for line in (work / "trained" / "events.jsonl").read_text().splitlines()]
    stop = next(event for event in events if event["event"] == "stop")
    reports = [event for event in events if event["event"] == "step"]
    # The first reports hold the one-off costs of the first steps.
    first, last = reports[len(reports) // 3], reports[-1]
    steady = (last["step"] - first["step"]) / max(last["time"] - first["time"], 1e-9)
    return {
        "recipe": recipe,
        "steps": stop["step"],
        "steps_per_second_cold": round(num_steps / seconds, 3),
        "steps_per_second": round(stop["step"] / stop["seconds"], 3),
        "steps_per_second_steady": round(steady, 3),
        "peak_rss_mb": summary["peak_rss_mb"],
    }
