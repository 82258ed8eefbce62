from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from faceswap.convert.segments import MAX_FRAMES, Segment, plan_segments
from faceswap.types import Shot


def test_a_short_clip_is_one_segment() -> None:
    assert plan_segments([(0, 100, False)], [Shot(0, 100)]) == [Segment(0, 0, 100)]


def test_a_segment_ends_at_the_last_cut_within_reach() -> None:
    shots = [Shot(0, 50), Shot(50, 150), Shot(150, 200), Shot(200, 500)]
    assert [(s.start, s.stop) for s in plan_segments([(0, 500, False)], shots)] == [(0, 200), (200, 440), (440, 500)]


def test_copied_runs_stay_whole_and_are_no_work() -> None:
    segments = plan_segments([(0, 5000, True), (5000, 5100, False)], [Shot(0, 5100)])
    assert segments == [Segment(0, 0, 5000, is_copied=True), Segment(1, 5000, 5100)]


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12))
def test_segments_cover_everything_once_and_are_never_long(lengths: list[int]) -> None:
    starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    shots = [Shot(a, b) for a, b in pairwise(starts)]
    segments = plan_segments([(0, starts[-1], False)], shots)
    assert segments[0].start == 0
    assert segments[-1].stop == starts[-1]
    assert all(a.stop == b.start for a, b in pairwise(segments))
    assert all(0 < len(s) <= MAX_FRAMES for s in segments)
    assert [s.number for s in segments] == list(range(len(segments)))
