"""What the engines of both paths, CPU and device, do in the same way: batches, one ahead, and the frames before a segment."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Generic, Protocol, TypeVar

import torch

from faceswap.convert.casting import Role
from faceswap.device import BatchSize
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.threads import read_ahead
from faceswap.types import Face, Frame

FrameBatch = tuple[Sequence[Frame], Sequence[Sequence[Face]], Sequence[int]]
"""Frames, the faces to swap of each, the number of the shot of each."""
WARM_UP = 24
"""Frames before a segment from which the colour match learns: what is older counts for 13 % in it."""
_BATCHES_AHEAD = 1
"""Swapped batches that may wait to be finished; bounds memory."""


class Placed(Protocol):
    """A face that was cut out of its frame."""

    @property
    def frame(self) -> int: ...

    @property
    def shot(self) -> int: ...

    @property
    def role(self) -> Role: ...


P = TypeVar("P", bound=Placed)
R = TypeVar("R")


class Recent(Generic[P]):
    """The faces of the last `WARM_UP` frames."""

    def __init__(self) -> None:
        self._places: deque[P] = deque()

    def add(self, places: Iterable[P], frames: Sequence[Frame]) -> None:
        """Remember the faces of frames that follow on those before."""
        self._places.extend(places)
        while self._places and frames and frames[-1].index - self._places[0].frame >= WARM_UP:
            self._places.popleft()

    def before(self, start: int, shot: int) -> list[P]:
        """Return the faces of a shot in the frames before `start`."""
        return [place for place in self._places if place.shot == shot and 0 < start - place.frame <= WARM_UP]

    def clear(self) -> None:
        """Forget all."""
        self._places.clear()


def by_role(places: Sequence[P], work: Callable[[Role, list[int]], Iterable[R]]) -> list[R]:
    """Return what `work` makes of places, in their order.

    Args:
        work: called once for each role, with the numbers of its places; gives as many results.
    """
    members: dict[Role, list[int]] = defaultdict(list)
    for i, place in enumerate(places):
        members[place.role].append(i)
    results: dict[int, R] = {}
    for role, numbers in members.items():
        results |= zip(numbers, work(role, numbers), strict=True)
    return [results[i] for i in range(len(places))]


def one_ahead(
    batches: Iterable[FrameBatch], work: Callable[[FrameBatch], R], times: StageTimes
) -> Generator[R, None, None]:
    """Yield what `work` makes of one batch after the other, in a thread that is one batch ahead; "wait" is time without any."""

    def worked() -> Iterator[R]:
        # The limit of threads is each thread's own: the convolutions of a new one would take all cores (`shared_cpu`).
        torch.set_num_threads(torch.get_num_threads())
        yield from map(work, batches)

    with closing(read_ahead(worked(), _BATCHES_AHEAD)) as ready:
        while True:
            with times.measure("wait"):
                found = next(ready, None)
            if found is None:
                return
            yield found


def batch_sizes(models: Sequence[SwapModel], wanted: int) -> list[BatchSize]:
    """Return how many faces go through the network of each model together; at most `wanted`."""
    return [BatchSize(min(wanted, model.batch or wanted)) for model in models]
