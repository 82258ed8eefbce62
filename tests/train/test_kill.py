"""Training runs that are stopped from outside, as processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from makers import tiny_faceset

from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel

STEPS = 12
RECIPE = """
batch = 2
precision = "fp32"
checkpoint_every = 3
[network]
encoder_dim = 8
decoder_dim = 8
bottleneck_dim = 32
mask_dim = 4
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    source, target = (tiny_faceset(tmp_path / actor, actor) for actor in ("anna", "bert"))
    words = ["--source", source, "--target", target, "-m", tmp_path / "model", "--recipe", recipe, "--steps", STEPS]
    return [sys.executable, "-m", "faceswap", "train", "--device", "cpu", "-q", *map(str, words)]


def start_until_first_checkpoint(command: list[str], model: Path) -> subprocess.Popen:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(model.glob("step-*")):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.01)
    return process


def test_killed_run_is_finished_by_the_same_command(command: list[str], tmp_path: Path) -> None:
    model = tmp_path / "model"
    process = start_until_first_checkpoint(command, model)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    reached = find_checkpoint(model).step
    assert 0 < reached < STEPS
    subprocess.run(command, check=True, capture_output=True)
    assert find_checkpoint(model).step == STEPS
    assert SwapModel.load(model, device="cpu").rejected == ()
    assert [path.name for path in model.iterdir() if path.name.startswith((".tmp-", ".old-", ".lock"))] == []


def test_interrupted_run_saves_and_exits_with_130(command: list[str], tmp_path: Path) -> None:
    model = tmp_path / "model"
    process = start_until_first_checkpoint(command, model)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert "repeat the command to go on" in said
    assert f"stopped at step {find_checkpoint(model).step}," in said
