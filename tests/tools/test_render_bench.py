from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "tools" / "bench"

pytestmark = pytest.mark.slow


def run_bench(folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """Return what the script prints and what it writes as JSON."""
    report = folder / "result.json"
    command = [sys.executable, str(BENCH / "render.py"), *options, "--work", str(folder), "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(report.read_text())


def test_bench_compares_conversion_and_bare_transcodes(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra `ffmpeg` is not installed")
    text, values = run_bench(tmp_path, "--size", "320x240", "--frames", "8", "--rounds", "1")
    assert "time over bare PyAV" in text
    render = values["results"]["render"]
    assert (render["frames"], render["size"]) == (8, "320x240")
    assert set(render["runs"]) == {"convert", "pyav", "ffmpeg"}
    assert all(run["cpu_seconds"] > 0 and run["peak_rss_mb"] > 0 for run in render["runs"].values())
    assert abs(render["vmaf"]["convert"] - render["vmaf"]["ffmpeg"]) < 5  # the model changes next to nothing
    assert {"commit", "versions", "device"} <= set(values["circumstances"])


def test_bench_compares_every_copied_frame_with_the_source(tmp_path: Path) -> None:
    text, values = run_bench(tmp_path, "--smart", "--size", "320x240", "--frames", "150", "--rounds", "1")
    smart = values["results"]["smart"]
    assert 0 < smart["copied"] < smart["frames"] == 150
    assert f"{smart['copied']} of 150 frames were copied" in text
    (work,) = tmp_path.glob("render-bench-*")
    jobs = bench_module("render_jobs")
    assert jobs.check_copies(work / "clip.mp4", work / "smart.mp4") == smart["copied"]
    with pytest.raises(ValueError, match="another picture"):  # of a clip of which nothing was copied
        jobs.check_copies(work / "clip.mp4", work / "convert.mp4")


def test_bench_measures_memory_of_each_stage(tmp_path: Path) -> None:
    text, values = run_bench(tmp_path, "--memory", "--frames", "10")
    for size in ("320x240", "3840x2160"):
        measured = values["results"][f"memory_{size}"]
        assert measured["frames"] == 10
        assert measured["peak_rss_mb"] + 1 >= max(measured["render"]) >= min(measured["find_faces"]) > 0
        assert f"10 frames, {size}" in text


def bench_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
