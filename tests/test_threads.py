from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from faceswap.threads import WriteBehind, read_ahead


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def put_all(sink: WriteBehind[int], count: int) -> None:
    for i in range(count):
        sink.put(i)


def test_items_arrive_in_order() -> None:
    assert list(read_ahead(range(100), 3)) == list(range(100))


def test_nothing_to_read() -> None:
    assert list(read_ahead([], 3)) == []


def test_error_of_the_producer_arrives_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    received = read_ahead(items(), 3)
    assert next(received) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(received)
    assert "read-ahead" not in names_of_threads()


def test_producer_is_never_more_than_depth_ahead() -> None:
    produced: list[int] = []

    def items() -> Iterator[int]:
        for i in range(50):
            produced.append(i)
            yield i

    for count, _ in enumerate(read_ahead(items(), 4), start=1):
        # Queued, one in the producer's hand, one in ours.
        assert len(produced) <= count + 4 + 1


def test_closing_early_ends_the_thread() -> None:
    frames = read_ahead(iter(int, 1), 2)  # endless
    next(frames)
    assert "read-ahead" in names_of_threads()
    frames.close()
    assert "read-ahead" not in names_of_threads()


def test_everything_is_written_in_order_before_close_returns() -> None:
    written: list[int] = []
    sink: WriteBehind[int] = WriteBehind(written.append, 3)
    put_all(sink, 50)
    sink.close()
    assert written == list(range(50))
    assert "write-behind" not in names_of_threads()


def test_error_of_the_last_write_arrives_at_close() -> None:
    def fail(_: int) -> None:
        raise OSError("disk full")

    sink: WriteBehind[int] = WriteBehind(fail, 3)
    sink.put(1)
    with pytest.raises(OSError, match="disk full"):
        sink.close()


def test_error_of_a_write_arrives_while_putting() -> None:
    def fail(_: int) -> None:
        raise OSError("disk full")

    sink: WriteBehind[int] = WriteBehind(fail, 2)
    with pytest.raises(OSError, match="disk full"):
        put_all(sink, 10_000)
    sink.abandon()
    assert "write-behind" not in names_of_threads()


def test_nothing_is_written_after_an_error() -> None:
    tried: list[int] = []

    def fail(item: int) -> None:
        tried.append(item)
        raise OSError("disk full")

    sink: WriteBehind[int] = WriteBehind(fail, 100)
    with suppress(OSError):  # arrives while putting or not until the end
        put_all(sink, 10)
    with pytest.raises(OSError, match="disk full"):
        sink.close()
    assert tried in ([], [0])


def test_abandoned_writer_drops_what_waits_and_ends() -> None:
    may_go_on, written = threading.Event(), []

    def write(item: int) -> None:
        may_go_on.wait(10)
        written.append(item)

    sink: WriteBehind[int] = WriteBehind(write, 10)
    put_all(sink, 5)
    threading.Timer(0.05, may_go_on.set).start()
    sink.abandon()
    assert len(written) <= 1
    assert "write-behind" not in names_of_threads()
