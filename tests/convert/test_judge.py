from __future__ import annotations

from makers import face_at

from faceswap.convert.judge import Bounds, judge
from faceswap.types import Face

BOUNDS = Bounds(accept=0.6, reject=0.4, margin=0.1)


def track(number: int, start: int, stop: int) -> list[Face]:
    return [face_at(90, 60, 25, frame=i, track=number) for i in range(start, stop)]


def people(likeness: dict[int, dict[str, float]], *tracks: list[Face]) -> dict[int, tuple[str | None, bool]]:
    verdicts = judge(likeness, {faces[0].track: faces for faces in tracks}, BOUNDS)
    return {number: (verdict.person, verdict.is_sure) for number, verdict in verdicts.items()}


def test_a_likeness_is_taken_refused_or_not_sure() -> None:
    likeness = {0: {"a": 0.9, "b": 0.1}, 1: {"a": 0.2, "b": 0.3}, 2: {"a": 0.5, "b": 0.0}}
    assert people(likeness, track(0, 0, 5), track(1, 0, 5), track(2, 0, 5)) == {
        0: ("a", True),
        1: (None, True),
        2: (None, False),
    }


def test_two_people_who_are_as_likely_are_not_sure() -> None:
    assert people({0: {"a": 0.9, "b": 0.85}}, track(0, 0, 5)) == {0: (None, False)}


def test_nobody_is_twice_in_a_frame() -> None:
    likeness = {0: {"a": 0.7}, 1: {"a": 0.9}, 2: {"a": 0.8}}
    assert people(likeness, track(0, 0, 10), track(1, 9, 20), track(2, 20, 30)) == {
        0: (None, True),
        1: ("a", True),
        2: ("a", True),
    }
