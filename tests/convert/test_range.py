from __future__ import annotations

import pytest
from makers import frame_table

from faceswap.convert.range import FrameChoice, Ranges, span
from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex
from faceswap.types import Shot

SHOTS = (Shot(0, 20, "start"), Shot(20, 50), Shot(50, 60, "dissolve"), Shot(60, 100, "fade"))
INDEX = FaceIndex("0" * 64, "centerface-1", frame_table(100), 1, 24, (), (), SHOTS, ())


@pytest.mark.parametrize(
    ("shots", "start", "end", "ranges"),
    [
        (None, None, None, ((0, 100),)),
        ("2", None, None, ((20, 50),)),
        ("1,3", None, None, ((0, 20), (50, 60))),
        ("4,1-2", None, None, ((0, 50), (60, 100))),
        ("2-4", None, None, ((20, 100),)),
        (None, "30", None, ((30, 100),)),
        (None, "1s", "00:00:02:10", ((25, 60),)),
        ("1-2,4", "10", "70", ((10, 50), (60, 70))),
        ("2,2", None, "25f", ((20, 25),)),
    ],
)
def test_choice_becomes_ranges(shots: str | None, start: str | None, end: str | None, ranges: Ranges) -> None:
    assert FrameChoice.parse(shots, start, end).ranges(INDEX) == ranges


def test_span_reaches_from_the_first_to_the_last_chosen_frame() -> None:
    assert span(FrameChoice.parse("1,3").ranges(INDEX)) == (0, 60)


@pytest.mark.parametrize("text", ["", "a", "1,", "1-", "-2", "1--2", "1;2"])
def test_what_is_no_list_of_shots_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--shots .*like 3,7-9"):
        FrameChoice.parse(text)


def test_backward_range_is_refused_with_the_forward_one() -> None:
    with pytest.raises(UsageError, match="write 7-9"):
        FrameChoice.parse("9-7")


@pytest.mark.parametrize("text", ["0", "5", "2-5", "99999999999999999999"])
def test_shots_that_are_not_there_are_refused_with_their_number(text: str) -> None:
    with pytest.raises(UsageError, match="4 shots: 1 to 4"):
        FrameChoice.parse(text).ranges(INDEX)


@pytest.mark.parametrize(("start", "end"), [("50", "50"), ("60", "2s"), ("100", None)])
def test_empty_stretch_is_refused(start: str, end: str | None) -> None:
    with pytest.raises(UsageError, match="no frame between"):
        FrameChoice.parse(None, start, end).ranges(INDEX)


def test_shots_outside_the_stretch_are_refused() -> None:
    with pytest.raises(UsageError, match="lie outside"):
        FrameChoice.parse("1", "20").ranges(INDEX)
