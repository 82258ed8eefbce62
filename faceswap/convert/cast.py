"""Deciding who becomes whom: from the wish, the face index, and whoever can tell people apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from faceswap.convert.casting import Casting, Role, tracks_in_words
from faceswap.convert.judge import Bounds, Verdict, judge
from faceswap.convert.range import FrameChoice
from faceswap.convert.rebuild import likeness_by_rebuilding
from faceswap.convert.select import main_tracks, tracks_inside
from faceswap.convert.wish import UNNAMED, Wish
from faceswap.errors import NoFaceError, UsageError
from faceswap.faces.base import IdentityEncoder
from faceswap.faces.identity import cosines, track_vectors
from faceswap.faces.index import FaceIndex
from faceswap.media.reader import SeekableReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, ignore_progress
from faceswap.types import Face

BY_REBUILDING = Bounds(accept=0.6, reject=0.4, margin=0.15)
"""In `Likeness.of`: strangers reach 0.3, the model's own people in odd light, noise or partly covered 0.6 and more."""
_MARGIN = 0.05
"""Between the cosines of two people who might be one track."""
_UNSURE = 0.1
"""Below the least cosine: not sure yet."""
_TOLD_APART = "several people are seen at once, so the model said who is who; --largest or --track choose otherwise"
_NOT_TOLD_APART = (
    "several people are seen at once, and the model does not know how well it tells people apart: the largest of each shot "
    "is swapped; --auto lets it try, --track chooses otherwise"
)
K = TypeVar("K", bound=Hashable)
People = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Somebody on screen who is an identity of a model."""

    model: int
    """Which model recognises them."""
    becomes: Role


@dataclass(frozen=True, slots=True, eq=False)
class CastingDesk:
    """All that a decision can rest on."""

    reader: SeekableReader
    index: FaceIndex
    models: Sequence[SwapModel]
    choice: FrameChoice = field(default_factory=FrameChoice)
    encoder: IdentityEncoder | None = None
    people: People = field(default_factory=dict)
    """Vectors of the wish's reference pictures, by name."""
    min_cosine: float = 0.35
    on_progress: OnProgress = ignore_progress

    def cast(self, wish: Wish) -> Casting:
        """Return who becomes whom.

        Raises:
            UsageError: tracks or names that the clip does not have. NoFaceError: nobody is left to swap.
        """
        if not self.index.faces:
            raise NoFaceError(
                f"the face index of {self.reader.info.path} holds no face: none was found, or all were dropped by hand; "
                "`faceswap index show` lists the edits, `index add` adds a face"
            )
        has_company = wish.way == "usual" and self._has_company()
        if has_company and self._can_tell():
            casting = self._by_likeness(replace(wish, way="auto"))
            return replace(casting, notes=(_TOLD_APART, *casting.notes))
        if wish.way in ("usual", "main"):
            casting = _all_of(main_tracks(self.index), wish.to, "the largest person of the shot")
            return replace(casting, notes=(_NOT_TOLD_APART,)) if has_company else casting
        if wish.way == "all":
            return _all_of({face.track for face in self.index.faces}, wish.to, "everybody")
        if wish.way == "tracks":
            self._require_tracks(wish.tracks)
            return _all_of(wish.tracks, wish.to, "chosen by number")
        return self._by_likeness(wish)

    def _has_company(self) -> bool:
        """True when several people are seen at once in the chosen frames."""
        frames = [face.frame for faces in tracks_inside(self.index, self.choice).values() for face in faces]
        return len(frames) > len(set(frames))

    def _can_tell(self) -> bool:
        """True when each model knows how well its decoders rebuild whom, and they differ enough."""
        return all(
            name in model.likeness and model.likeness[name].is_telling
            for model in self.models
            for name in model.identities
        )

    def _by_likeness(self, wish: Wish) -> Casting:
        casting = self._recognised(wish)
        if not casting.roles:
            raise NoFaceError(
                f"nobody to swap was recognised in {self.reader.info.path}: {_closest(casting)}. "
                f"Choose by --track or --largest; {tracks_in_words(self.index)}"
            )
        return casting

    def _recognised(self, wish: Wish) -> Casting:
        if wish.way == "auto":
            return self._by_model(self._targets(wish))
        if wish.way == "people":
            assert wish.to is not None
            return self._by_encoder({UNNAMED: wish.to})
        return self._by_map(wish)

    def _targets(self, wish: Wish) -> dict[str, _Seen]:
        """Return what each identity that may be on screen becomes, by its name."""
        return {
            identity: _Seen(number, becomes)
            for number, model in enumerate(self.models)
            for becomes in [wish.to or Role(number, model.identities[0])]
            for identity in model.identities
            if identity != becomes.identity
        }

    def _by_map(self, wish: Wish) -> Casting:
        by_hand = set(self.index.people.values())
        numbers: dict[int, Role] = {}
        named: dict[str, Role] = {}
        shown: dict[str, Role] = {}
        seen: dict[str, _Seen] = {}
        for left, role in wish.pairs:
            if left.startswith("track:"):
                numbers[int(left.removeprefix("track:"))] = role
            elif left in by_hand:
                named[left] = role
            elif left in wish.references:
                shown[left] = role
            else:
                seen[left] = _Seen(self._knower(left, role), role)
        self._require_tracks(numbers)
        castings = [Casting(numbers, dict.fromkeys(numbers, "chosen by number")), _by_name(self.index, named)]
        settled = {track for casting in castings for track in casting.roles}
        if shown:
            castings.append(self._by_encoder(shown, settled))
            settled |= set(castings[-1].roles)
        if seen:
            castings.append(self._by_model(seen, settled))
        return _joined(castings)

    def _knower(self, left: str, becomes: Role) -> int:
        """Return the model that knows whom the left side of a pair names; that of its right side, if it does."""
        owners = [i for i, model in enumerate(self.models) if left in model.identities]
        if not owners:
            names = sorted({*self.index.people.values(), *(name for m in self.models for name in m.identities)})
            raise UsageError(
                f"--map: nobody is called {left!r}; names given by hand (`faceswap index reassign`) and identities: "
                f"{', '.join(names)}; also possible: track:N, or --person {left}=REF.jpg"
            )
        return becomes.model if becomes.model in owners else owners[0]

    def _tracks(self, settled: Collection[int]) -> dict[int, list[Face]]:
        """Return the tracks of the chosen frames that nothing is settled about yet."""
        tracks = tracks_inside(self.index, self.choice)
        return {track: faces for track, faces in tracks.items() if track not in settled}

    def _by_model(self, seen: Mapping[str, _Seen], settled: Collection[int] = ()) -> Casting:
        """Cast whom the models recognise."""
        tracks = self._tracks(settled)
        likeness = likeness_by_rebuilding(self.reader, self.index, tracks, self.models, self.on_progress)
        witness = {name: self._witness(name, seen) for model in self.models for name in model.identities}
        able = {name: role for name, role in witness.items() if self._is_telling(role)}
        known = {track: {name: values[role] for name, role in able.items()} for track, values in likeness.items()}
        casting = _cast(
            judge(known, tracks, BY_REBUILDING),
            {name: one.becomes for name, one in seen.items()},
            lambda name, value: f"looks like {name} to the model ({value:.2f} of 1)",
        )
        mute = [name for name in seen if name not in able]
        if not mute:
            return casting
        note = f"the model is not trained far enough to tell who is {' or '.join(mute)}; choose by --track"
        return replace(casting, notes=(*casting.notes, note))

    def _witness(self, name: str, seen: Mapping[str, _Seen]) -> Role:
        """Return whose decoder says whether somebody is `name`, whom several models may know."""
        if name in seen:
            return Role(seen[name].model, name)
        return next(Role(i, name) for i, model in enumerate(self.models) if name in model.identities)

    def _is_telling(self, role: Role) -> bool:
        likeness = self.models[role.model].likeness.get(role.identity)
        return likeness is None or likeness.is_telling

    def _by_encoder(self, becomes: Mapping[str, Role], settled: Collection[int] = ()) -> Casting:
        """Cast whom the encoder recognises from pictures."""
        assert self.encoder is not None, "checked with the wish"
        tracks = self._tracks(settled)
        vectors = track_vectors(self.reader, self.index, tracks, self.encoder, self.on_progress)
        alike = cosines(vectors, {name: self.people[name] for name in becomes})
        verdicts = judge(alike, tracks, Bounds(self.min_cosine, self.min_cosine - _UNSURE, _MARGIN))
        return _cast(verdicts, becomes, lambda name, value: f"like {name or 'the person shown'} (cosine {value:.2f})")

    def _require_tracks(self, numbers: Mapping[int, Role] | Sequence[int]) -> None:
        known = {face.track for face in self.index.faces}
        for number in numbers:
            if number not in known:
                raise UsageError(f"--track: there is no track {number}; {tracks_in_words(self.index)}")


def _all_of(tracks: Sequence[int] | set[int], role: Role | None, why: str) -> Casting:
    assert role is not None
    return Casting(dict.fromkeys(sorted(tracks), role), dict.fromkeys(sorted(tracks), why))


def _by_name(index: FaceIndex, becomes: Mapping[str, Role]) -> Casting:
    roles = {track: becomes[name] for track, name in sorted(index.people.items()) if name in becomes}
    return Casting(roles, {track: f"named {index.people[track]} by hand" for track in roles})


def _cast(verdicts: Mapping[int, Verdict[K]], becomes: Mapping[K, Role], words: Callable[[K, float], str]) -> Casting:
    roles, reasons, unsure = {}, {}, []
    for track, verdict in sorted(verdicts.items()):
        why = words(verdict.best, verdict.likeness)
        if verdict.person is not None and verdict.person in becomes:
            roles[track] = becomes[verdict.person]
            reasons[track] = why
        elif verdict.person is not None:
            reasons[track] = f"{why}, who stays"
        elif verdict.why or not verdict.is_sure:
            reasons[track] = f"{why}, {verdict.why or 'which is not sure'}"
        else:
            reasons[track] = f"nobody known: at best {why}"
        if not verdict.is_sure and verdict.best in becomes:
            unsure.append(
                f"track {track} may be one to swap and stays as it is ({reasons[track]}); settle it by --track"
            )
    return Casting(roles, reasons, tuple(unsure))


def _joined(castings: Sequence[Casting]) -> Casting:
    """Return several decisions as one; the first that has something to say about a track counts."""
    roles: dict[int, Role] = {}
    reasons: dict[int, str] = {}
    for casting in castings:
        new = {track: role for track, role in casting.roles.items() if track not in roles}
        roles |= new
        reasons |= {track: why for track, why in casting.reasons.items() if track in new or track not in reasons}
    notes = [note for casting in castings for note in casting.notes]
    return Casting(dict(sorted(roles.items())), dict(sorted(reasons.items())), tuple(notes))


def _closest(casting: Casting, limit: int = 4) -> str:
    words = [f"track {track}: {why}" for track, why in list(casting.reasons.items())[:limit]]
    return "; ".join([*words, *casting.notes]) or "no track is in the chosen frames"
