"""Matching the colours of swapped faces to the footage, steadily over time.

What a kind of match (`match_kinds`) reads under the masks is smoothed along each track, so that the fit does not flicker with
each frame; or it is settled before for a whole shot (`shot_look`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.match_kinds import KINDS, Vector

MIN_AREA = 16.0
"""Sum of mask below which a frame says nothing reliable about colour."""

Key = tuple[int, int]
"""(shot, track)."""
Looks = Mapping[str, Mapping[Key, Vector]]
"""By kind of match: the colours of tracks over their whole shots."""


M_co = TypeVar("M_co", covariant=True)


class ColorMatcher:
    """Keeps the colours of each track."""

    def __init__(
        self, kind: str = "mkl", *, settled: Mapping[Key, Vector] | None = None, follow: float | None = None
    ) -> None:
        """Begin without memory.

        Args:
            kind: one of `match_kinds.KINDS`.
            settled: what holds for all frames of a track; tracks that are not in it are followed.
            follow: share by which a track moves to a new frame [0, 1]: 0 = a plain mean of all; None = as suits the kind.
        """
        self._kind = KINDS[kind]
        self._settled = settled or {}
        self._follow_share = self._kind.follow if follow is None else follow
        self._state: dict[Key, Vector] = {}
        self._count: dict[Key, int] = {}

    @property
    def seen(self) -> Mapping[Key, Vector]:
        """What is known of each track that was followed, for `settled`."""
        return self._state

    def match(
        self,
        keys: Sequence[Key],
        swapped: Sequence[NDArray],
        originals: Sequence[NDArray],
        masks: Sequence[NDArray],
    ) -> list[NDArray[np.float32]]:
        """Return the swapped patches with the colours of the originals.

        Args:
            keys: (shot, track) of each patch, in frame order.
            swapped, originals: (3, S, S) RGB [0, 1]. masks: (1, S, S) [0, 1].
        """
        results = []
        for key, new, old, mask in zip(keys, swapped, originals, masks, strict=True):
            if key not in self._settled and mask.sum() >= MIN_AREA:
                self._follow(key, self._kind.read(new, old, mask))
            seen = self._settled.get(key, self._state.get(key))
            results.append(new if seen is None else np.clip(self._kind.apply(seen, new), 0, 1))
        return results

    def _follow(self, key: Key, seen: Vector) -> None:
        count = self._count[key] = self._count.get(key, 0) + 1
        state = self._state.setdefault(key, seen)
        # A plain mean at first: otherwise the first frame alone would count as much as the next dozen.
        self._state[key] = state + max(self._follow_share, 1 / count) * (seen - state)


class Matcher(Protocol):
    """`ColorMatcher`, or the device's."""

    @property
    def seen(self) -> Mapping[Key, Vector]: ...


class _MakeMatcher(Protocol[M_co]):
    def __call__(self, kind: str, *, settled: Mapping[Key, Vector] | None, follow: float | None) -> M_co: ...


def matchers_for(
    settings: Sequence[FaceSettings], looks: Looks | None, make: _MakeMatcher[M_co]
) -> dict[tuple[str, str], M_co]:
    """Return a matcher without memory for each (kind, stretch of time) that faces may be matched by."""
    used = {(each.match, each.match_over) for each in settings if each.match != "none"}
    return {
        (kind, over): make(kind, settled=(looks or {}).get(kind), follow=0.0)
        if over == "shot"
        else make(kind, settled=None, follow=None)
        for kind, over in sorted(used)
    }


def gathered_looks(matchers: Mapping[tuple[str, str], Matcher]) -> Looks:
    """Return what matchers know of tracks whose colours are those of their shot."""
    return {kind: dict(matcher.seen) for (kind, over), matcher in matchers.items() if over == "shot"}
