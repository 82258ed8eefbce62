"""Deciding which track is which person, from figures of likeness; nothing here looks at pixels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from faceswap.types import Face

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What counts as the same person."""

    accept: float
    """From this likeness on it is that person."""
    reject: float
    """Below this it is not; between the two nothing is sure."""
    margin: float
    """By which the next most alike person must be less alike."""


@dataclass(frozen=True, slots=True)
class Verdict(Generic[K]):
    """What is thought of one track."""

    person: K | None
    """None = nobody we know, or not sure."""
    is_sure: bool
    best: K
    likeness: float
    why: str = ""
    """Where it is not plainly its likeness."""


def judge(
    likeness: Mapping[int, Mapping[K, float]], faces: Mapping[int, Sequence[Face]], bounds: Bounds
) -> dict[int, Verdict[K]]:
    """Return who each track is; nobody is in two places of one frame.

    Args:
        likeness: of each track to each person. faces: of each track, in frame order.
    """
    verdicts = {track: _one(values, bounds) for track, values in likeness.items() if values}
    order = sorted(verdicts, key=lambda track: -verdicts[track].likeness)
    taken: dict[K, list[int]] = {}
    for track in order:
        verdict = verdicts[track]
        if verdict.person is None:
            continue
        mine = taken.setdefault(verdict.person, [])
        rival = next((other for other in mine if _meet(faces[track], faces[other])), None)
        if rival is None:
            mine.append(track)
        else:
            why = f"track {rival} in the same frames is more like that person"
            verdicts[track] = Verdict(None, True, verdict.best, verdict.likeness, why)
    return verdicts


def _one(values: Mapping[K, float], bounds: Bounds) -> Verdict[K]:
    (best, likeness), *others = sorted(values.items(), key=lambda item: -item[1])
    if likeness < bounds.reject:
        return Verdict(None, True, best, likeness)
    if likeness < bounds.accept:
        return Verdict(None, False, best, likeness)
    if others and likeness - others[0][1] < bounds.margin:
        return Verdict(None, False, best, likeness, f"nearly as much like {others[0][0]}")
    return Verdict(best, True, best, likeness)


def _meet(a: Sequence[Face], b: Sequence[Face]) -> bool:
    return not {face.frame for face in a}.isdisjoint(face.frame for face in b)
