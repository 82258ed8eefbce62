"""Training runs that are stopped from outside, as processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from makers import tiny_faceset

from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel

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


def train_command(folder: Path, steps: int) -> list[str]:
    """Write a recipe and two facesets into `folder`; return the command that trains FOLDER/model with them."""
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE)
    source, target = (tiny_faceset(folder / actor, actor) for actor in ("anna", "bert"))
    words = ["--source", source, "--target", target, "-m", folder / "model", "--recipe", recipe, "--steps", steps]
    return [sys.executable, "-m", "faceswap", "train", "--device", "cpu", "-q", *map(str, words)]


def start_until_first_checkpoint(command: list[str], model: Path) -> subprocess.Popen:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(model.glob("step-*")):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.01)
    return process


def test_killed_run_is_finished_by_the_same_command(tmp_path: Path) -> None:
    model, steps = tmp_path / "model", 24
    command = train_command(tmp_path, steps)
    process = start_until_first_checkpoint(command, model)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    reached = find_checkpoint(model).step
    assert 0 < reached < steps
    subprocess.run(command, check=True, capture_output=True)
    assert find_checkpoint(model).step == steps
    assert SwapModel.load(model, device="cpu").rejected == ()
    assert [path.name for path in model.iterdir() if path.name.startswith((".tmp-", ".old-"))] == []


def test_interrupted_run_saves_and_exits_with_130(tmp_path: Path) -> None:
    model = tmp_path / "model"
    process = start_until_first_checkpoint(train_command(tmp_path, 2_000), model)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert "repeat the command to go on" in said
    assert f"stopped at step {find_checkpoint(model).step}," in said
