"""Ctrl-C and SIGTERM: the first asks the work to stop at the next safe point, the second stops it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StopRequest:
    """Whether a signal has asked this run to stop."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __bool__(self) -> bool:
        return self.signal_number != 0


@contextmanager
def stop_on_signal(on_second: Callable[[], None] | None = None) -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM while the block runs; yields an object that is true once one has arrived.

    Outside the main thread signals cannot be caught; the request then never becomes true.

    Args:
        on_second: clean-up before the process leaves at once on the second signal.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, _frame: object) -> None:
        if request:
            if on_second:
                on_second()
            os._exit(128 + number)
        request.signal_number = number

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
