from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench" / "render.py"


@pytest.mark.slow
def test_bench_compares_conversion_and_bare_transcodes(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra `ffmpeg` is not installed")
    options = ["--size", "320x240", "--frames", "8", "--rounds", "1", "--work", str(tmp_path)]
    report = tmp_path / "result.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, "--json", str(report)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "time over bare PyAV" in done.stdout
    values = json.loads(report.read_text())
    render = values["results"]["render"]
    assert (render["frames"], render["size"]) == (8, "320x240")
    assert set(render["runs"]) == {"convert", "pyav", "ffmpeg"}
    assert all(run["cpu_seconds"] > 0 and run["peak_rss_mb"] > 0 for run in render["runs"].values())
    assert abs(render["vmaf"]["convert"] - render["vmaf"]["ffmpeg"]) < 5  # the model changes next to nothing
    assert {"commit", "versions", "device"} <= set(values["circumstances"])
