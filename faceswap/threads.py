"""Reading ahead and writing behind in threads, with bounded queues and errors that arrive where they belong."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


def read_ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yield `items`, produced by a thread that is at most `depth` ahead; closing the generator ends the thread."""
    waiting: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(depth)
    is_closed = threading.Event()

    def put(entry: tuple[str, T | BaseException | None]) -> bool:
        while not is_closed.is_set():
            with suppress(queue.Full):
                waiting.put(entry, timeout=0.1)
                return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(("item", item)):
                    return
            put(("end", None))
        except BaseException as error:
            put(("error", error))

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == "error":
                raise value  # type: ignore[misc]
            if kind == "end":
                return
            yield value  # type: ignore[misc]
    finally:
        is_closed.set()
        thread.join()


class WriteBehind(Generic[T]):
    """Calls `write` for each item in a thread; at most `depth` items wait."""

    def __init__(self, write: Callable[[T], None], depth: int) -> None:
        self._write, self._waiting = write, queue.Queue[T | None](depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._consume, name="write-behind", daemon=True)
        self._thread.start()

    def _consume(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._write(item)
                except BaseException as error:
                    self._error = error

    def put(self, item: T) -> None:
        """Hand over an item; raises what an earlier write raised."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def close(self) -> None:
        """Wait until everything is written; raises what a write raised."""
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Stop without raising; items that wait are dropped."""
        self._error = self._error or RuntimeError("abandoned")
        self._waiting.put(None)
        self._thread.join()
