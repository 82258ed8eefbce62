"""Training meets kills, power cuts and broken disks: whatever happens, a model that was saved can be loaded.

The faults are those of docs/reliability.md. What runs by default is the short form; `-m slow` runs the whole.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import disk_faults
import pytest
import torch
from makers import tiny_config, tiny_faceset
from train_job import start_until_first_checkpoint, train_command

from faceswap.errors import CheckpointError, ResourceError
from faceswap.models.checkpoint import Checkpoint, find_checkpoint, remove_leftovers, save_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.train.loop import train_model

STEPS = 24


def save(model: Path, step: int) -> Checkpoint:
    tensors = {name: {"a": torch.full((64,), float(step))} for name in ("weights", "ema", "optimizer", "state")}
    documents = {"spec": {"name": "tiny"}, "progress": {"step": step}}
    return save_checkpoint(model, step, tensors, documents, keep=3)


def saved_steps(model: Path, *steps: int) -> Path:
    for step in steps:
        save(model, step)
    return model


SAVES: dict[str, tuple[tuple[int, ...], int]] = {
    "the first": ((), 1),
    "one more": ((1, 2), 3),
    "one that lets the oldest go": ((1, 2, 3), 4),
    "the same step again": ((1, 2), 2),
}
"""Steps that are there, and the step that is saved."""


def assert_old_or_new(model: Path, before: tuple[int, ...], new: int) -> None:
    """A start after the fault finds what was saved before it, or the new one; never neither, never rubbish."""
    remove_leftovers(model)  # what a start does first
    if before:
        found = find_checkpoint(model)
        assert found.rejected == ()
        assert found.step in {before[-1], new}
        assert torch.equal(found.tensors("weights")["a"], torch.full((64,), float(found.step)))
    save(model, new + 1)
    assert find_checkpoint(model).step == new + 1
    assert [path.name for path in model.iterdir() if not path.name.startswith("step-")] == []


@pytest.mark.parametrize("kind", SAVES)
def test_save_killed_at_every_operation_leaves_the_old_or_the_new(tmp_path: Path, kind: str) -> None:
    before, new = SAVES[kind]
    place = 1
    while True:
        model = saved_steps(tmp_path / str(place), *before)
        is_killed = disk_faults.is_killed_at(place, lambda model=model: save(model, new))
        if not is_killed:
            break
        assert_old_or_new(model, before, new)
        place += 1
    assert find_checkpoint(model).step == max(new, *before, 0)
    assert place > 10


@pytest.mark.parametrize("kind", SAVES)
def test_save_that_loses_power_leaves_the_old_or_the_new(tmp_path: Path, kind: str) -> None:
    before, new = SAVES[kind]
    model = tmp_path / "model"
    model.mkdir()
    images = disk_faults.LostPower(saved_steps(model, *before)).record(lambda: save(model, new))
    assert len(images) >= 8
    for number, image in enumerate(images):
        assert_old_or_new(disk_faults.restore(image, tmp_path / f"image {number}"), before, new)
    assert find_checkpoint(disk_faults.restore(images[-1], tmp_path / "last")).step == new


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("operation", ["fsync", "rename", "mkdir"])
def test_disk_error_at_every_operation_keeps_the_old(tmp_path: Path, operation: str, code: int) -> None:
    model = saved_steps(tmp_path / "model", 1, 2, 3)
    count = disk_faults.count_operations(lambda: save(model, 4))[operation]
    assert count >= 1
    for number in range(1, count + 1):
        model = saved_steps(tmp_path / str(number), 1, 2, 3)
        try:
            with disk_faults.failing(operation, number, code):
                save(model, 4)
        except ResourceError as error:
            said = str(error)
            assert said.startswith(f"cannot write {model}: {os.strerror(code)}")
        assert_old_or_new(model, (3,), 4)


def whole_state(model: Path) -> dict[str, bytes]:
    """Return all that decides how training goes on; how long it took is left out."""
    found = find_checkpoint(model)
    return {path.name: path.read_bytes() for path in found.path.iterdir() if path.suffix == ".safetensors"}


@pytest.mark.parametrize(("code", "number"), [(errno.EIO, 3), (errno.ENOSPC, 9)])
def test_training_goes_on_after_the_disk_failed(tmp_path: Path, code: int, number: int) -> None:
    sets = [tiny_faceset(tmp_path / name, name) for name in ("anna", "bert")]
    config = tiny_config(steps=12, checkpoint_every=4)
    train_model(sets, tmp_path / "whole", config, device="cpu")
    model = tmp_path / "model"
    with pytest.raises(ResourceError, match=str(model)), disk_faults.failing("fsync", number, code):
        train_model(sets, model, config, device="cpu")
    train_model(sets, model, config, device="cpu")
    assert whole_state(model) == whole_state(tmp_path / "whole")


def flip_bit(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def fill_with_zeros(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data if any(data) or start else b"\0" * len(data))


def lose(path: Path, rng: random.Random) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [flip_bit, truncate, fill_with_zeros, lose])
def test_damage_is_found_each_time(tmp_path: Path, damage: Callable[[Path, random.Random], None]) -> None:
    saved_steps(tmp_path / "good", 1, 2)
    names = sorted(path.name for path in find_checkpoint(tmp_path / "good").path.iterdir())
    for seed in range(2 * len(names)):
        model = shutil.copytree(tmp_path / "good", tmp_path / f"{seed}")
        damaged = model / "step-000000002" / names[seed % len(names)]
        before = damaged.read_bytes()
        damage(damaged, random.Random(seed))
        if damaged.exists() and damaged.read_bytes() == before:
            continue  # zeros over zeros
        found = find_checkpoint(model)
        assert found.step == 1
        assert "step-000000002" in found.rejected[0]
        shutil.rmtree(model / "step-000000001")
        with pytest.raises(CheckpointError, match="step-000000002"):
            find_checkpoint(model)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """What a run leaves that nothing happens to, and how long it takes."""
    folder = tmp_path_factory.mktemp("whole")
    begin = time.monotonic()
    subprocess.run(train_command(folder, STEPS), check=True, capture_output=True)
    return whole_state(folder / "model"), time.monotonic() - begin


def check_killed_run(folder: Path, uninterrupted: tuple[dict[str, bytes], float], seed: int) -> None:
    """Kill a run somewhere, and again; the third finishes what the first began."""
    expected, seconds = uninterrupted
    model, rng = folder / "model", random.Random(seed)
    command = train_command(folder, STEPS)
    reached = 0
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.5, 1) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if list(model.glob("step-*")):
            found = find_checkpoint(model)
            assert found.rejected == ()
            assert found.step >= reached
            reached = found.step
    subprocess.run(command, check=True, capture_output=True)
    assert whole_state(model) == expected
    assert SwapModel.load(model, device="cpu").rejected == ()


def test_run_killed_anywhere_is_finished_by_the_same_command(
    tmp_path: Path, uninterrupted: tuple[dict[str, bytes], float]
) -> None:
    check_killed_run(tmp_path, uninterrupted, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_run_killed_at_two_hundred_moments_is_finished_by_the_same_command(
    tmp_path: Path, uninterrupted: tuple[dict[str, bytes], float], seed: int
) -> None:
    check_killed_run(tmp_path, uninterrupted, seed)


def check_stopped_run(folder: Path, number: int, seed: int) -> None:
    model = folder / "model"
    process = start_until_first_checkpoint(train_command(folder, 20_000), model)
    time.sleep(random.Random(seed).uniform(0, 0.5))
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert "repeat the command to go on" in said
    found = find_checkpoint(model)
    assert f"stopped at step {found.step}," in said
    assert [path.name for path in model.iterdir() if path.name.startswith((".tmp-", ".old-"))] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_run_saves_and_says_how_to_go_on(tmp_path: Path, number: int) -> None:
    check_stopped_run(tmp_path, number, 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seed", range(1, 20))
def test_run_stopped_at_twenty_moments_saves_and_says_how_to_go_on(tmp_path: Path, number: int, seed: int) -> None:
    check_stopped_run(tmp_path, number, seed)
