"""What the benchmarks share: generated footage, fresh processes, and the circumstances that figures hold under."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import __version__
from faceswap.demo.actor import ActorLook, render_clip
from faceswap.device import choose_compute, cpu_name
from faceswap.errors import FaceswapError
from faceswap.media.libraries import library_versions
from faceswap.store import HOME_VARIABLE

RATE = 25
PRESET = "veryfast"
_POLL_SECONDS = 0.02


def circumstances(device: str) -> dict[str, Any]:
    """Return what the figures depend on: machine, device and versions."""
    compute = choose_compute(device)
    return {
        "faceswap": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": str(compute),
        "device_name": compute.name,
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": library_versions(),
    }


def enlarged(look: ActorLook, num_frames: int, size: tuple[int, int], seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of an actor, (h, w, 3) uint8 of `size`."""
    for picture in render_clip(look, num_frames=num_frames, size=(480, 854), seed=seed):
        yield cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def timed(arguments: list[str], *, is_json: bool = True, home: Path | None = None) -> tuple[float, dict[str, Any]]:
    """Run `faceswap` in a fresh process; return its wall time and its last JSON line with its peak memory.

    Args:
        home: folder of its data instead of the user's, whose registry should not name outputs that are thrown away.
    """
    environment = None if home is None else {**os.environ, HOME_VARIABLE: str(home)}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        command = [sys.executable, "-m", "faceswap", *arguments, "--quiet"]
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _peak_rss_kb(process.pid))
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise FaceswapError(f"the benchmark's `faceswap {arguments[0]}` failed: {err.read().strip()}")
        summary = json.loads(out.read().splitlines()[-1]) if is_json else {}
    return seconds, {**summary, "peak_rss_mb": round(peak / 1024)}


def _peak_rss_kb(pid: int) -> int:
    """Return the most memory that a process has held. (What `wait4` says of it is at least what its parent had held.)"""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:  # it has just ended, or this is not Linux
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
