"""The batch examples: bad clips are named and skipped, the same command goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from clips import astronaut_picture, make_clip
from makers import tiny_model

EXAMPLES = Path(__file__).resolve().parents[2] / "tools" / "examples"
HOSTILE = ["plain.mp4", "-dash.mp4", "two\nlines.mov", 'it\'s "quoted" $HOME.mkv', "ünï code.mp4"]
FAKE = """#!/bin/sh
# convert INPUT -m MODEL -o OUTPUT --json
case "$2" in *bad*) exit 3 ;; esac
cp -- "$2" "$6"
"""


def python_batch(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / "fan_edit_batch.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


def test_python_batch_converts_reports_and_resumes(tmp_path: Path, model: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    make_clip(clips / "a scene.mp4", size=(160, 200), num_frames=4, picture=lambda i: astronaut_picture((160, 200), i))
    (clips / "broken.mp4").touch()
    (clips / "notes.txt").touch()
    first = python_batch(clips, model, out)
    assert (first.returncode, first.stdout.strip()) == (4, "1 ok, 1 failed, 0 skipped")
    assert "'broken.mp4'" in first.stderr
    assert "0 bytes" in first.stderr
    again = python_batch(clips, model, out)
    assert again.stdout.strip() == "0 ok, 1 failed, 1 skipped"


def test_python_batch_refuses_a_folder_without_model(tmp_path: Path) -> None:
    done = python_batch(tmp_path, tmp_path / "nowhere", tmp_path / "out")
    assert done.returncode == 2
    assert "no model at" in done.stderr


def test_python_batch_refuses_to_write_into_the_clips(tmp_path: Path, model: Path) -> None:
    assert python_batch(tmp_path, model, tmp_path).returncode == 2


@pytest.fixture
def shell_batch(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "faceswap"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["bash", EXAMPLES / "fan_edit_batch.sh", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)

    return run


def test_shell_batch_takes_hostile_names(tmp_path: Path, shell_batch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "clips").mkdir()
    for name in HOSTILE:
        (tmp_path / "clips" / name).write_text(name)
    assert shell_batch("clips", "model", "out").returncode == 0
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix != ".jsonl"} == {
        name: name for name in HOSTILE
    }


def test_shell_batch_skips_bad_clips_and_goes_on(tmp_path: Path, shell_batch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "bad.mp4", "c.mp4"):
        (tmp_path / "clips" / name).touch()
    first = shell_batch("clips", "model", "out")
    assert first.returncode == 4
    assert "bad.mp4" in first.stderr
    assert (tmp_path / "out" / "c.mp4").exists()
    assert "2 skipped" in shell_batch("clips", "model", "out").stdout


@pytest.mark.parametrize("name", ["fan_edit_batch.sh", "fan_edit_batch.py"])
def test_examples_have_help(name: str) -> None:
    interpreter = sys.executable if name.endswith(".py") else "bash"
    done = subprocess.run([interpreter, EXAMPLES / name, "--help"], capture_output=True, text=True, check=True)
    assert "MODEL" in done.stdout.upper()
