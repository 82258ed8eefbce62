"""Several processes that train one model, each on a device of its own, as `torchrun` starts them.

All processes hold the same state and draw the same random numbers; each computes its share of a batch, and PyTorch's
DistributedDataParallel averages the gradients. What depends on a clock, a signal or a disk is decided once and told to
all, so that the processes never part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from inspect import signature
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from faceswap.device import Compute
from faceswap.errors import ElsewhereError, FaceswapError, InterruptedRunError, UsageError

T = TypeVar("T")

_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(minutes=30)
"""How long a process waits for another: facesets are decoded, engines measured and reports written by one of them."""


class Team:
    """The processes of a run; this one is number `rank` of `size`. A team of one talks to nobody."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def is_first(self) -> bool:
        """True for the one that writes, logs and speaks."""
        return self.rank == 0

    def own(self, count: int) -> slice:
        """Return which rows of `count` are this process's; `count` is a multiple of the team's size."""
        share = count // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def require_shares(self, batch: int) -> None:
        """Raise UsageError unless a batch can be shared equally."""
        if batch % self.size:
            near = batch - batch % self.size or self.size
            raise UsageError(
                f"a batch of {batch} faces cannot be shared equally by {self.size} processes; take a multiple of "
                f"{self.size}, e.g. --set batch={near}"
            )

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of all processes' tensors, the same on each."""
        if self.size == 1:
            return value
        total = value.detach().clone()
        distributed.all_reduce(total)
        return total / self.size

    def most(self, *numbers: float) -> tuple[float, ...]:
        """Return the largest of all processes' numbers, one by one."""
        if self.size == 1:
            return numbers
        values = torch.tensor(numbers, dtype=torch.float64)
        distributed.all_reduce(values, distributed.ReduceOp.MAX)
        return tuple(values.tolist())

    def gathered(self, rows: Tensor) -> Tensor:
        """Return all processes' rows, (B / size, ...) -> (B, ...), in the order of the batch."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(self.size)]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def first_does(self, work: Callable[[], T]) -> T:
        """Let the first process do something; return its result on all of them, once it is done.

        Raises:
            ElsewhereError: on the others, when the first one failed.
        """
        if self.size == 1:
            return work()
        told: list[Any] = [None, 0]
        if self.is_first:
            try:
                told[0] = work()
            except FaceswapError as error:
                distributed.broadcast_object_list([None, error.exit_code], src=0)
                raise
        distributed.broadcast_object_list(told, src=0)
        if told[1]:
            raise ElsewhereError("the first process of the run failed and says why", told[1])
        return told[0]

    def in_turn(self, work: Callable[[], T]) -> T:
        """Let the first process do something, and then each of the others for itself (with what the first left on disk)."""
        done: list[T] = []

        def first() -> None:
            done.append(work())

        self.first_does(first)
        return done[0] if done else work()

    def wrapped(self, module: nn.Module) -> nn.Module:
        """Return a module whose backward pass averages the gradients over all processes."""
        if self.size == 1:
            return module
        device = next(module.parameters()).device
        known = signature(DistributedDataParallel).parameters
        # Buffers are constants: nothing to send in each pass. The option has two names, in older and newer versions.
        buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        options: dict[str, Any] = {"gradient_as_bucket_view": True, buffers: False}
        return DistributedDataParallel(module, [device] if device.type == "cuda" else None, **options)

    def quiet(self, module: nn.Module) -> AbstractContextManager[None]:
        """Let passes through a wrapped module add up gradients without averaging them yet."""
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()


ALONE = Team()


def is_team_of_one() -> bool:
    """True unless this process was started as one of several."""
    return not all(name in os.environ for name in _NAMES) or int(os.environ["WORLD_SIZE"]) == 1


def is_first_here() -> bool:
    """True unless this process was started as another than the first of several."""
    return is_team_of_one() or os.environ["RANK"] == "0"


def own_device(name: str) -> str:
    """Return the name of this process's device: each of several takes the GPU of its number on the machine.

    Raises:
        UsageError: one GPU is named for several processes.
    """
    if is_team_of_one() or name == "cpu" or not torch.cuda.is_available():
        return name
    if ":" in name:
        raise UsageError(
            f"--device {name} is one GPU, and {os.environ['WORLD_SIZE']} processes take one each; use --device cuda, and "
            "CUDA_VISIBLE_DEVICES to choose some"
        )
    return f"cuda:{os.environ['LOCAL_RANK']}"


@contextmanager
def joined(compute: Compute) -> Iterator[Team]:
    """Join the processes that were started together, while the block runs.

    Raises:
        FaceswapError: in the block, when another process is gone.
    """
    if is_team_of_one():
        yield ALONE
        return
    is_ours = not distributed.is_initialized()

    def leave() -> None:
        if is_ours:
            distributed.destroy_process_group()

    # After any other error the rest may be waiting for this process, and leaving in good order would wait for them.
    try:
        if is_ours:
            _join(compute)
        yield Team(distributed.get_rank(), distributed.get_world_size())
    except (InterruptedRunError, ElsewhereError):
        leave()
        raise
    except RuntimeError as error:
        if not _is_about_others(error):
            raise
        raise FaceswapError(
            "the connection to another process of the run is lost, so it has ended or hangs; started again (torchrun "
            "--max-restarts, or the same command), the run goes on from its last checkpoint"
        ) from error
    else:
        leave()


def _join(compute: Compute) -> None:
    backend = "gloo"
    if compute.device.type == "cuda":
        torch.cuda.set_device(compute.device)
        backend = "cpu:gloo,cuda:nccl"
    values = os.environ
    if values.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or values.get("GROUP_WORLD_SIZE") != "1":
        distributed.init_process_group(backend, timeout=_PATIENCE)
        return
    # torchrun's own store outlives a restart, with the addresses of processes that are gone (pytorch issue 135712): each
    # start gets a part of its own. Only on one machine do all agree on the count; docs/decisions/0032-several-devices.md.
    store = distributed.TCPStore(values["MASTER_ADDR"], int(values["MASTER_PORT"]), is_master=False, timeout=_PATIENCE)
    distributed.init_process_group(
        backend,
        store=distributed.PrefixStore(f"start-{values['TORCHELASTIC_RESTART_COUNT']}", store),
        rank=int(values["RANK"]),
        world_size=int(values["WORLD_SIZE"]),
        timeout=_PATIENCE,
    )


def _is_about_others(error: RuntimeError) -> bool:
    if isinstance(error, distributed.DistError):
        return True
    words = ("gloo", "Connection closed by peer", "NCCL", "Connection reset")
    return any(word in str(error) for word in words)
