"""Two processes that train one model, over gloo on the CPU, as `torchrun` starts them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from makers import tiny_config, tiny_state
from safetensors.torch import load_file
from train_job import start_until_first_checkpoint, train_command

from faceswap.device import choose_compute
from faceswap.errors import FaceswapError, ResourceError, UsageError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.train import distributed
from faceswap.train.augment import Batch
from faceswap.train.distributed import Team, own_device
from faceswap.train.step import Stepper

_WORKER = """
import os, sys
import torch
from faceswap.cli.main import main
from faceswap.train import loop

finish = loop._finish

def finish_and_tell(run, *rest):
    report = finish(run, *rest)
    state = run.state
    tensors = {**state.network.state_dict(), **{f"ema/{k}": v for k, v in state.ema.items()}}
    tensors["generator"] = state.generator.get_state()
    torch.save(tensors, run.model.parent / f"process-{run.team.rank}.pt")
    return report

loop._finish = finish_and_tell
sys.argv[0] = "faceswap"
main()
"""
"""The command, which also leaves every process's own weights beside the model."""


def together(command: list[str], folder: Path, *options: str, processes: int = 2) -> list[str]:
    """Return the command for several processes."""
    worker = folder / "worker.py"
    worker.write_text(_WORKER)
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), *options]
    start += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    return [*start, str(worker), *command[command.index("train") :]]


def finish(command: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def losses(model: Path) -> list[float]:
    events = [json.loads(line) for line in (model / "events.jsonl").read_text().splitlines()]
    return [event["loss"] for event in events if event["event"] == "step"]


def assert_alike(folder: Path) -> None:
    first, second = (torch.load(folder / f"process-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def assert_near(one: Path, two: Path) -> None:
    """The loss curve within 2 %, and the averaged weights as near as they moved far."""
    assert losses(two / "model") == pytest.approx(losses(one / "model"), rel=0.02)
    weights = [load_file(find_checkpoint(folder / "model").path / "ema.safetensors") for folder in (one, two)]
    apart = sum(float((weights[0][name] - weights[1][name]).square().sum()) for name in weights[0]) ** 0.5
    whole = sum(float(value.square().sum()) for value in weights[0].values()) ** 0.5
    assert apart < 0.02 * whole


def test_two_processes_train_as_one_with_the_same_batch(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (train_command(tmp_path / name, 20) for name in ("one", "two"))
    assert finish(one).returncode == 0
    done = finish(together(two, tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 20, loss") == 1  # said once
    assert_near(tmp_path / "one", tmp_path / "two")
    assert_alike(tmp_path / "two")


@pytest.mark.slow
def test_stages_with_discriminator_parts_and_own_swaps_train_as_one_process(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        words = ["--set", "batch=4", "--set", "accumulate=2", "--set", "save_memory=true"]
        command = [*train_command(folder, 30), *words]
        text = '\n[[stage]]\nuntil = "10 steps"\npairs = 0.5\n[[stage]]\ngan = 0.1\nfreeze = ["encoder"]\n'
        (folder / "tiny.toml").write_text((folder / "tiny.toml").read_text() + text)
        done = finish(command if name == "one" else together(command, folder))
        assert done.returncode == 0, done.stderr
    assert_near(tmp_path / "one", tmp_path / "two")
    assert_alike(tmp_path / "two")


@pytest.mark.slow
def test_killed_process_makes_all_go_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, killed = (
        together(train_command(tmp_path / n, 60), tmp_path / n, "--max-restarts", "2") for n in ("whole", "killed")
    )
    assert finish(whole).returncode == 0
    model = tmp_path / "killed" / "model"
    process = start_until_first_checkpoint(killed, model)
    os.kill(worker_pid(process.pid, rank=1), signal.SIGKILL)
    assert process.wait(200) == 0, process.stderr.read() if process.stderr else ""
    starts = [e for e in map(json.loads, (model / "events.jsonl").read_text().splitlines()) if e["event"] == "start"]
    assert len(starts) == 2
    assert 0 < starts[1]["step"] < 60
    assert_alike(tmp_path / "killed")
    for part in ("weights", "ema", "optimizer", "state"):
        parts = [
            load_file(find_checkpoint(tmp_path / n / "model").path / f"{part}.safetensors") for n in ("whole", "killed")
        ]
        assert all(torch.equal(parts[0][key], parts[1][key]) for key in parts[0]), part


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_all_saves_once_and_says_so_once(tmp_path: Path, number: int) -> None:
    model = tmp_path / "model"
    process = start_until_first_checkpoint(together(train_command(tmp_path, 20_000), tmp_path), model)
    process.send_signal(number)
    said = process.communicate(timeout=100)[1]
    assert process.returncode != 0
    (step,) = re.findall(r"stopped at step (\d+), saved", said)
    assert "unexpected" not in said
    found = find_checkpoint(model)
    assert (found.step, found.rejected) == (int(step), ())
    events = [json.loads(line) for line in (model / "events.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] == "stop"] == [found.step]


@pytest.mark.slow
def test_error_of_the_first_is_said_once_and_ends_all(tmp_path: Path) -> None:
    done = finish(together([*train_command(tmp_path, 4), "--set", "batch=3"], tmp_path))
    assert done.returncode != 0
    assert re.findall(r"^faceswap.*: a batch of 3 .*$", done.stderr, re.MULTILINE) == [
        "faceswap: a batch of 3 faces cannot be shared equally by 2 processes; take a multiple of 2, e.g. --set batch=2"
    ]
    assert "unexpected" not in done.stderr


def worker_pid(agent: int, rank: int) -> int:
    """Return the process of a rank among the children of `torchrun`."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            names = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == agent and f"RANK={rank}".encode() in names:
            return int(path.name)
    raise AssertionError(f"no process {rank}")


def test_rows_of_all_processes_are_the_batch() -> None:
    rows = [list(range(12))[Team(rank, 3).own(12)] for rank in range(3)]
    assert rows == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert list(range(5))[Team().own(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("batch", "size", "near"), [(16, 3, 15), (2, 4, 4)])
def test_batch_that_cannot_be_shared_is_refused(batch: int, size: int, near: int) -> None:
    Team(0, size).require_shares(near)
    with pytest.raises(UsageError, match=f"batch of {batch} .* by {size} processes.*batch={near}"):
        Team(0, size).require_shares(batch)


def test_short_memory_in_one_of_several_processes_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Team, "wrapped", lambda _, module: module)
    monkeypatch.setattr(Stepper, "gradients", full)
    step = Stepper(tiny_state(), tiny_config(), choose_compute("cpu", "fp32"), team=Team(1, 2))
    with pytest.raises(ResourceError, match=r"step 0, and 2 processes .*accumulate=2"):
        step([Batch(*(torch.zeros(1, c, 64, 64) for c in (3, 3, 1)))], 1e-4)


def test_lost_connection_is_named_and_other_faults_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in distributed._NAMES:
        monkeypatch.setenv(name, "2")
    for name, value in (("is_initialized", True), ("get_rank", 0), ("get_world_size", 2)):
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    compute = choose_compute("cpu", "fp32")
    with pytest.raises(FaceswapError, match=r"connection to another process .* is lost"), distributed.joined(compute):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:48328")
    with pytest.raises(RuntimeError, match="shapes"), distributed.joined(compute):
        raise RuntimeError("shapes do not fit")


def test_one_gpu_for_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_device("cuda:1") == "cuda:1"  # alone
    for name in distributed._NAMES:
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert own_device("auto") == own_device("cuda") == "cuda:2"
    with pytest.raises(UsageError, match="cuda:1 is one GPU, and 2 processes"):
        own_device("cuda:1")
