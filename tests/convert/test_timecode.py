from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswap.convert.timecode import ClipClock, Moment
from faceswap.errors import UsageError
from faceswap.types import FrameTable

NTSC = Fraction(30_000, 1001)


def table(rate: Fraction | int, count: int, time_base: Fraction, first: int = 0) -> FrameTable:
    pts = np.array([first + round(i / Fraction(rate) / time_base) for i in range(count)], dtype=np.int64)
    step = np.full(count, round(1 / Fraction(rate) / time_base), dtype=np.int64)
    return FrameTable(time_base, pts, step, np.zeros(count, dtype=np.uint32))


def frame_at(clock: ClipClock, text: str) -> int:
    return clock.frame_at(Moment.parse(text, "--start"), "--start")


@pytest.mark.parametrize(
    ("rate", "time_base"),
    [
        (Fraction(24_000, 1001), Fraction(1, 24_000)),
        (Fraction(24_000, 1001), Fraction(1, 1000)),
        (24, Fraction(1, 1000)),
        (25, Fraction(1, 25)),
        (NTSC, Fraction(1, 1000)),
        (NTSC, Fraction(1, 90_000)),
        (50, Fraction(1, 90_000)),
        (Fraction(60_000, 1001), Fraction(1, 1000)),
        (60, Fraction(1, 1000)),
    ],
)
def test_nominal_rate_is_recognised_through_the_rounding_of_ticks(rate: Fraction, time_base: Fraction) -> None:
    assert ClipClock.of(table(rate, 2000, time_base)).rate == rate


def test_nominal_rate_of_a_variable_rate_clip_is_that_of_its_usual_step() -> None:
    pts = np.cumsum([0] + [40] * 60 + [200] * 9 + [40] * 60)
    clip = FrameTable(Fraction(1, 1000), pts, np.zeros_like(pts), np.zeros(len(pts), dtype=np.uint32))
    assert ClipClock.of(clip).rate == 25


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("0", 0), ("1550", 1550), ("1550f", 1550), ("00:01:02:12", 1562), ("1:02.5", 1563), ("62.5s", 1563),
        ("00:01:02.48", 1562), ("pts:90000", 25), ("pts:90001", 26), ("0.039s", 1), ("0.05s", 2), ("2000", 2000),
        ("00:01:20:00", 2000),
    ],
)  # fmt: skip
def test_each_notation_means_its_frame(text: str, frame: int) -> None:
    assert frame_at(ClipClock.of(table(25, 2000, Fraction(1, 90_000))), text) == frame


def test_times_count_from_the_first_frame_and_ticks_are_the_file_s_own() -> None:
    clock = ClipClock.of(table(25, 100, Fraction(1, 90_000), first=900_000))
    assert frame_at(clock, "1s") == frame_at(clock, "00:00:01:00") == frame_at(clock, "pts:990000") == 25


@pytest.mark.parametrize(
    ("label", "frame"),
    [
        ("00:00:59;29", 1799), ("00:01:00;02", 1800), ("00:09:59;29", 17_981), ("00:10:00;00", 17_982),
        ("00:11:00;02", 19_782), ("00:01:00:00", 1800),
    ],
)  # fmt: skip
def test_drop_frame_labels(label: str, frame: int) -> None:
    clock = ClipClock.of(table(NTSC, 20_000, Fraction(1, 30_000)))
    assert frame_at(clock, label) == frame
    if ";" in label:
        assert clock.timecode_at(frame) == label


@given(
    rate=st.sampled_from([Fraction(24_000, 1001), Fraction(25), NTSC, Fraction(50), Fraction(60_000, 1001)]),
    ticks=st.sampled_from([1000, 90_000, 60_000]),
    frame=st.integers(0, 39_999),
)
def test_timecode_of_a_frame_leads_back_to_it(rate: Fraction, ticks: int, frame: int) -> None:
    # Only the frames around the one in question, with their true times: as good as a clip of 40,000 frames.
    pts = np.array([round(i / rate * ticks) for i in (0, *range(max(1, frame - 2), frame + 3))])
    clip = FrameTable(Fraction(1, ticks), pts, np.zeros_like(pts), np.zeros(len(pts), dtype=np.uint32))
    clock = ClipClock(clip, rate)
    row = int(np.searchsorted(pts, round(frame / rate * ticks)))
    assert frame_at(clock, clock.timecode_at(row)) == row


@pytest.mark.parametrize(
    "text", ["", "x", "1:2:3:4:5", "-3", "1.5", "1:75", "00:61:00:00", "12 f", "pts:", "1e3s", "1:2:3;"]
)
def test_what_is_no_moment_is_refused_with_the_notations(text: str) -> None:
    with pytest.raises(UsageError, match=r"--end .*(timecode|0 to 59)"):
        Moment.parse(text, "--end")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2001", "2000 frames"),
        ("80.1s", r"0s to 80\.000s"),
        ("00:01:21:00", "00:01:20:00"),
        ("pts:7200001", "pts:0 to pts:7200000"),
        ("00:00:01:25", "numbered 0 to 24"),
        ("00:00:01;02", "drop-frame"),
    ],
)
def test_moments_outside_the_clip_are_refused_with_its_length(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        frame_at(ClipClock.of(table(25, 2000, Fraction(1, 90_000))), text)


def test_labels_that_drop_frame_leaves_out_are_refused() -> None:
    with pytest.raises(UsageError, match="leaves out"):
        frame_at(ClipClock.of(table(NTSC, 4000, Fraction(1, 30_000))), "00:01:00;01")


def test_clip_of_one_frame_has_a_clock() -> None:
    clock = ClipClock.of(table(25, 1, Fraction(1, 25)))
    assert (clock.timecode_at(0), clock.timecode_at(1)) == ("00:00:00:00", "00:00:00:01")


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), 25, NTSC, 50, 60])
def test_last_frame_of_unknown_length_lasts_as_long_as_the_others(rate: Fraction) -> None:
    whole = table(rate, 101, Fraction(1, 1000))
    unknown = replace(whole, duration=np.zeros_like(whole.duration))
    clock = ClipClock.of(unknown)
    assert clock.end_tick - int(whole.pts[-1]) == pytest.approx(1000 / rate, abs=1)
    assert clock.end_tick * whole.time_base == unknown.end_of(100)
    assert unknown.end_of(3) == int(whole.pts[4]) * whole.time_base


def test_only_frame_of_unknown_length_lasts_a_25th_of_a_second() -> None:
    only = replace(table(25, 1, Fraction(1, 1000), first=500), duration=np.zeros(1, dtype=np.int64))
    assert ClipClock.of(only).end_tick == 540
    assert only.end_of(0) == Fraction(540, 1000)
