"""The launchers, with programs in the place of torchrun and Slurm that write down how they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LAUNCH = Path(__file__).resolve().parents[2] / "training" / "launch"
TRAIN = ["--source", "a b", "--budget", "1h"]


def fake(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def launched(folder: Path, script: str, words: list[str], **environment: str) -> tuple[int, str, list[str]]:
    """Return the exit code, what was printed, and the words that `torchrun` got."""
    fake(folder, "torchrun", f'printf "%s\\n" "$@" > {folder}/words; env > {folder}/environment')
    fake(folder, "srun", 'shift; exec "$@"')
    fake(folder, "scontrol", "echo node-7; echo node-8")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    done = subprocess.run(
        [LAUNCH / script, *words], env={**kept, "PATH": path, **environment}, capture_output=True, text=True
    )
    got = folder / "words"
    return done.returncode, done.stdout, got.read_text().splitlines() if got.exists() else []


def test_many_starts_a_process_for_each_gpu(tmp_path: Path) -> None:
    code, _, words = launched(tmp_path, "many.sh", TRAIN)
    assert code == 0
    assert words[: words.index("-m")][:4] == ["--nproc-per-node", "gpu", "--max-restarts", "5"]
    assert words[words.index("-m") :] == ["-m", "faceswap", "train", *TRAIN]


def test_many_takes_numbers_from_the_environment(tmp_path: Path) -> None:
    _, _, words = launched(tmp_path, "many.sh", TRAIN, NUM_PROCESSES="3", MAX_RESTARTS="0")
    assert words[:4] == ["--nproc-per-node", "3", "--max-restarts", "0"]


def test_slurm_meets_at_the_first_machine_with_a_new_store_for_each_start(tmp_path: Path) -> None:
    slurm = {"SLURM_JOB_NODELIST": "node-[7-8]", "SLURM_JOB_ID": "1234", "SLURM_JOB_NUM_NODES": "2"}
    code, _, words = launched(tmp_path, "slurm.sh", TRAIN, **slurm)
    assert code == 0
    assert words[words.index("--nnodes") + 1] == "2"
    assert words[words.index("--rdzv-endpoint") + 1] == "node-7:29634"
    assert words[words.index("-m") :] == ["-m", "faceswap", "train", *TRAIN]
    assert "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in (tmp_path / "environment").read_text().splitlines()


@pytest.mark.parametrize("script", ["single.sh", "many.sh", "slurm.sh"])
def test_launcher_without_arguments_says_how_it_is_used(tmp_path: Path, script: str) -> None:
    code, said, words = launched(tmp_path, script, [])
    assert code == 2
    assert f"training/launch/{script} ARGUMENTS OF faceswap train" in said
    assert "SBATCH" not in said
    assert words == []
