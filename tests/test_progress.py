from __future__ import annotations

import threading

import pytest

from faceswap import progress
from faceswap.progress import Progress, StageTimes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows the first number of the list and advances only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def test_time_of_a_stage_adds_up(clock: list[float]) -> None:
    times = StageTimes()
    for seconds in (1.0, 0.5):
        with times.measure("decode"):
            clock[0] += seconds
    assert times.seconds == {"decode": 1.5}


def test_time_counts_when_the_work_fails(clock: list[float]) -> None:
    times = StageTimes()

    def work() -> None:
        with times.measure("encode"):
            clock[0] += 2
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    assert times.seconds["encode"] == 2


def test_times_are_given_in_milliseconds_per_item(clock: list[float]) -> None:
    times = StageTimes()
    with times.measure("network"):
        clock[0] += 3
    assert times.ms_per(4) == {"network": 750.0}


def test_times_of_no_items_do_not_divide_by_zero(clock: list[float]) -> None:
    times = StageTimes()
    with times.measure("network"):
        clock[0] += 1
    assert times.ms_per(0) == {"network": 1000.0}


def test_stages_are_measured_in_several_threads() -> None:
    times = StageTimes()

    def work(stage: str) -> None:
        with times.measure(stage):
            pass

    threads = [threading.Thread(target=work, args=(f"stage {i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times.seconds) == 8


def test_reports_have_no_details_of_others() -> None:
    first, second = Progress("a", 1, None), Progress("b", 2, 3)
    assert first.details == second.details == {}
    assert first.details is not second.details
