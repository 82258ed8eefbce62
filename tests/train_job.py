"""Training runs as processes of their own, for tests that stop or kill them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from makers import tiny_faceset

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
