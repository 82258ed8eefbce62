from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

from faceswap.media.clip_color import ColorTags
from faceswap.media.probe import ClipInfo
from faceswap.media.times import Clock
from faceswap.types import ColorInfo, PlaneLayout


def clock(container: str = "mpegts") -> Clock:
    """A clock of 25 frames a second and 1000 ticks a second."""
    info = ClipInfo(
        path=None,  # type: ignore[arg-type]
        container=container,
        codec="h264",
        stream_index=0,
        size=(96, 128),
        time_base=Fraction(1, 1000),
        rate=Fraction(25),
        num_frames=None,
        layout=PlaneLayout("yuv420p", (1, 1)),
        color=ColorInfo(),
        tags=ColorTags(2, 2, 2, 0),
        pixel_aspect=None,
    )
    return Clock(info)


def times(of: Clock, pts: list[int | None], dts: list[int | None] | None = None) -> list[int]:
    frames = [SimpleNamespace(pts=p, dts=d) for p, d in zip(pts, dts or [None] * len(pts), strict=True)]
    return [of.time_of(frame) for frame in frames]


def test_rising_times_are_kept_as_they_are() -> None:
    of = clock()
    assert times(of, [-40, 0, 33, 900]) == [-40, 0, 33, 900]
    assert of.remarks == ()


def test_missing_times_count_on_at_the_clips_rate() -> None:
    of = clock()
    assert times(of, [None, None, 100, None]) == [0, 40, 100, 140]
    assert of.remarks == ("3 frames carry no time; the clip's own rate is taken for them",)


def test_doubled_time_leaves_the_times_after_it_alone() -> None:
    of = clock()
    assert times(of, [0, 40, 40, 80, 120]) == [0, 40, 60, 80, 120]
    assert of.num_moved == 1


def test_stuck_times_still_rise() -> None:
    assert times(clock(), [7] * 5) == [7, 27, 47, 67, 87]


def test_time_line_that_begins_anew_goes_on_after_the_old_one() -> None:
    of = clock()
    assert times(of, [1000, 1040, 1080, 0, 40, 80]) == [1000, 1040, 1080, 1120, 1160, 1200]
    assert of.num_moved == 1


def test_avi_goes_by_the_order_of_decoding() -> None:
    of = clock("avi")
    of.saw(SimpleNamespace(dts=0))
    assert times(of, [40, 160, 120, None], [80, 120, 160, None]) == [0, 40, 80, 120]
    assert of.remarks == ()


def test_gap_in_avi_is_kept() -> None:
    of = clock("avi")
    of.saw(SimpleNamespace(dts=0))
    assert times(of, [0, 40, 200], [0, 40, 200]) == [0, 40, 200]
