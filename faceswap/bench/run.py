"""Timing conversion, training and the search for faces as a user meets them: fresh processes, cold, with everything included.

Footage is generated, so that every machine times the same work. Stages are timed inside the same run.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import __version__
from faceswap.bench.faces import bench_faces
from faceswap.config import validated
from faceswap.demo.actor import ANDROID, ASTRONAUT, ActorLook, render_clip
from faceswap.device import choose_compute
from faceswap.errors import FaceswapError, UsageError
from faceswap.facesets.build import extract_faces
from faceswap.media.encode_plan import EncodeSettings
from faceswap.media.generate import write_clip
from faceswap.media.transcode import transcode
from faceswap.models.spec import SwapSpec
from faceswap.recipes import load_recipe
from faceswap.train.config import TrainConfig
from faceswap.train.state import TrainState

_SIZE = (720, 1280)
_RATE = 25
_PRESET = "veryfast"
_BENCHES = ("convert", "train", "faces")
_VERSIONS = ("torch", "av", "onnxruntime", "opencv-python", "numpy")


def run_bench(
    what: str,
    *,
    num_frames: int,
    num_steps: int,
    recipe: str,
    device: str,
    seed: int,
    on_note: Callable[[str], None],
) -> dict[str, Any]:
    """Return figures and the circumstances they hold under, ready for JSON.

    Args:
        what: "convert", "train", "faces" or "all".

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
            on_note(f"convert: {num_frames} frames of {_SIZE[1]}x{_SIZE[0]} with one face, {recipe}, x264 {_PRESET}")
            results["convert"] = _bench_convert(work, num_frames, recipe, device, seed)
        if what in ("train", "all"):
            on_note(f"train: {num_steps} steps of {recipe}")
            results["train"] = _bench_train(work, num_steps, recipe, device, seed)
        if what in ("faces", "all"):
            on_note(f"faces: {num_frames} frames of {_SIZE[1]}x{_SIZE[0]} with one face")
            results["faces"] = _bench_faces(work, num_frames, device, seed)
    return {"results": results, "circumstances": conditions}


def circumstances(device: str) -> dict[str, Any]:
    """Return what the figures depend on: machine, device and versions."""
    return {
        "faceswap": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": str(choose_compute(device)),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _bench_convert(work: Path, num_frames: int, recipe: str, device: str, seed: int) -> dict[str, Any]:
    clip = work / "target.mp4"
    write_clip(clip, _enlarged(ASTRONAUT, num_frames, seed), rate=_RATE)
    _save_untrained(work / "model", recipe, device, seed)
    transcode_seconds = _bare_transcode(clip, work / "bare.mp4")
    command = ["convert", str(clip), "-m", str(work / "model"), "-o", str(work / "out.mp4"), "--preset", _PRESET]
    seconds, summary = _timed([*command, "--device", device, "--json"])
    again_seconds, again = _timed([*command, "--device", device, "--json", "--overwrite"])
    return {
        "frames": num_frames,
        "faces": summary["faces"],
        "size": f"{_SIZE[1]}x{_SIZE[0]}",
        "recipe": recipe,
        "fps_cold": round(num_frames / seconds, 2),
        "fps_without_start": summary["fps"],
        "fps_cold_index_reused": round(num_frames / again_seconds, 2),
        "ms_per_frame": summary["ms_per_frame"],
        "ms_per_frame_index_reused": again["ms_per_frame"],
        "bare_transcode_fps": round(num_frames / transcode_seconds, 2),
        "time_over_bare_transcode": round(seconds / transcode_seconds, 2),
        "peak_rss_mb": summary["peak_rss_mb"],
    }


def _bench_faces(work: Path, num_frames: int, device: str, seed: int) -> dict[str, Any]:
    clip = work / "faces.mp4"
    write_clip(clip, _enlarged(ASTRONAUT, num_frames, seed), rate=_RATE)
    return {"size": f"{_SIZE[1]}x{_SIZE[0]}", **bench_faces(clip, work, device)}


def _enlarged(look: ActorLook, num_frames: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    for picture in render_clip(look, num_frames=num_frames, size=(480, 854), seed=seed):
        yield cv2.resize(picture, (_SIZE[1], _SIZE[0]), interpolation=cv2.INTER_CUBIC)


def _save_untrained(model: Path, recipe: str, device: str, seed: int) -> None:
    """Save a model as it is before training: its speed is that of a trained one."""
    config = validated(TrainConfig, {**load_recipe(recipe), "seed": seed, "steps": 1}, recipe)
    spec = SwapSpec(network=config.network, crop=config.crop, identities=("android", "astronaut"))
    TrainState.create(spec, config, choose_compute(device)).save(model, config)


def _bare_transcode(source: Path, output: Path) -> float:
    """Return the seconds of decoding and encoding alone, through the same reader and writer."""
    start = time.perf_counter()
    transcode(source, output, EncodeSettings(preset=_PRESET))
    return time.perf_counter() - start


def _bench_train(work: Path, num_steps: int, recipe: str, device: str, seed: int) -> dict[str, Any]:
    sets = {}
    for number, (actor, look) in enumerate((("android", ANDROID), ("astronaut", ASTRONAUT))):
        clip = work / f"{actor}.mp4"
        write_clip(clip, render_clip(look, num_frames=32, seed=seed + number), rate=_RATE)
        extract_faces([clip], work / actor, actor)
        sets[actor] = str(work / actor)
    command = ["train", "--source", sets["android"], "--target", sets["astronaut"], "-m", str(work / "trained")]
    seconds, summary = _timed(
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


def _timed(arguments: list[str], *, is_json: bool = True) -> tuple[float, dict[str, Any]]:
    """Run `faceswap` in a fresh process; return its wall time and its last JSON line with its peak memory."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "faceswap", *arguments, "--quiet"], stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)  # unlike `wait`, tells this one process's memory
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise FaceswapError(f"the benchmark's `faceswap {arguments[0]}` failed: {err.read().strip()}")
        summary = json.loads(out.read().splitlines()[-1]) if is_json else {}
    return seconds, {**summary, "peak_rss_mb": round(usage.ru_maxrss / 1024)}
