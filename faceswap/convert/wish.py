"""What was asked for about who is to be swapped, checked against the models before any work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.errors import UsageError
from faceswap.faces.index_words import parse_tracks

Way = Literal["usual", "main", "all", "auto", "tracks", "people", "map"]
""""usual" = nothing was said."""
UNNAMED = ""
"""Name of the person of `--person REF.jpg`."""
_ONE_WAY = (
    "choose people in one way: --largest, --faces all, --auto, --track, --person or --map (which may use the people "
    "that --person names)"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """How the people to swap are chosen, and what becomes of them."""

    way: Way
    to: Role | None
    """What everyone chosen becomes; None = `pairs` say it, or ("auto") each model's first identity."""
    tracks: tuple[int, ...] = ()
    references: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Pictures by the name of the person in them."""
    pairs: tuple[tuple[str, Role], ...] = ()
    """`--map`: who (a name, or "track:N") becomes what."""

    @property
    def words(self) -> str:
        """What becomes of whom, for the plan that people read."""
        if self.way == "map":
            return ", ".join(f"{left} -> {role.identity}" for left, role in self.pairs)
        return self.to.identity if self.to else "each model's first identity"

    def shown(self, identities: Sequence[Sequence[str]]) -> list[Role]:
        """Return whose faces may appear.

        Args:
            identities: of each model.
        """
        if self.way == "map":
            return list(dict.fromkeys(role for _, role in self.pairs))
        return [self.to] if self.to else [Role(number, names[0]) for number, names in enumerate(identities)]

    @property
    def needs_encoder(self) -> bool:
        return bool(self.references)


def wish_of(config: ConvertConfig, identities: Sequence[Sequence[str]], to: str | None = None) -> Wish:
    """Return the wish that a configuration states.

    Args:
        identities: of each model. to: the identity whose face will appear; "2:name" = the second model's.

    Raises:
        UsageError: contradictions, unknown identities, words that are not understood.
    """
    way = _way(config)
    if way == "usual" and len(identities) > 1:
        way = "auto"
    references = _references(config.person)
    if way == "map":
        return _mapping(config, references, identities, to)
    if len(references) > 1 or (references and UNNAMED not in references):
        raise UsageError(f"--person names {', '.join(map(repr, references))}: say with --map who becomes whom")
    if way == "auto" and to is None:
        _require_separate(identities)
        role = Role(0, identities[0][0]) if len(identities) == 1 else None
    else:
        role = role_named(to, identities, "--to") if to is not None else Role(0, identities[0][0])
        if len(identities) > 1:
            raise UsageError(
                f"{len(identities)} models were given and everyone chosen becomes {role.identity!r}; "
                "say with --map who becomes whom, or give one model"
            )
    tracks = tuple(parse_tracks(config.track)) if config.track is not None else ()
    return Wish(way, role, tracks=tracks, references=references)


def role_named(text: str, identities: Sequence[Sequence[str]], option: str) -> Role:
    """Return the identity that a user named: "picard", or "2:picard" for the second model's.

    Raises:
        UsageError: no model has it, or several have.
    """
    match = re.fullmatch(r"(\d+):(.+)", text)
    if match:
        number, identity = int(match[1]), match[2]
        if 1 <= number <= len(identities) and identity in identities[number - 1]:
            return Role(number - 1, identity)
    owners = [number for number, names in enumerate(identities) if text in names]
    if len(owners) == 1:
        return Role(owners[0], text)
    if owners:
        which = " and ".join(str(number + 1) for number in owners)
        raise UsageError(
            f"{option}: the models {which} both know {text!r}; write {owners[0] + 1}:{text} for that of the first of them"
        )
    if len(identities) == 1:
        raise UsageError(f"{option}: the model knows {', '.join(map(repr, identities[0]))}, not {text!r}")
    known = "; ".join(f"model {i + 1}: {', '.join(names)}" for i, names in enumerate(identities))
    raise UsageError(f"{option}: no model knows {text!r} ({known})")


def _require_separate(identities: Sequence[Sequence[str]]) -> None:
    """Raise UsageError when several models would swap the same person."""
    owners: dict[str, int] = {}
    for number, names in enumerate(identities, start=1):
        for name in names[1:]:
            if name in owners:
                raise UsageError(
                    f"the models {owners[name]} and {number} both swap {name!r}; say with --map who becomes whom"
                )
            owners[name] = number


def _way(config: ConvertConfig) -> Way:
    named = [
        way
        for way, value in (("tracks", config.track), ("people", config.person), ("map", config.map))
        if value not in (None, ())
    ]
    says_faces = config.faces is not None
    if named == ["map"] or named == ["people", "map"]:
        if says_faces and config.faces != "auto":
            raise UsageError(f"--map goes with no other choice (faces = {config.faces!r}); {_ONE_WAY}")
        return "map"
    if len(named) + says_faces > 1:
        words = [*([f"faces = {config.faces}"] if says_faces else []), *named]
        raise UsageError(f"{' and '.join(words)} contradict each other; {_ONE_WAY}")
    return named[0] if named else config.faces or "usual"  # type: ignore[return-value]


def _references(words: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Return pictures by name; "alice=a.jpg" names one, "a.jpg" does not."""
    found: dict[str, tuple[Path, ...]] = {}
    for word in words:
        name, separator, path = word.partition("=")
        if not separator or Path(word).exists():
            name, path = UNNAMED, word
        name = name.strip()
        if not Path(path).is_file():
            raise UsageError(f"--person {word}: there is no picture {path or word}; write REF.jpg or name=REF.jpg")
        found[name] = (*found.get(name, ()), Path(path))
    return found


def _mapping(
    config: ConvertConfig,
    references: Mapping[str, tuple[Path, ...]],
    identities: Sequence[Sequence[str]],
    to: str | None,
) -> Wish:
    assert config.map is not None
    if to is not None:
        raise UsageError(f"--map says who becomes whom, so that --to {to} has nothing to say; leave one out")
    pairs: dict[str, Role] = {}
    for word in config.map.split(","):
        left, separator, right = (part.strip() for part in word.partition("="))
        if not left or not separator or not right:
            raise UsageError(f"--map {word.strip()!r} is not understood; write it like alice=data-tng,track:3=picard")
        if left.startswith("track:"):
            number = left.removeprefix("track:").strip()
            if not re.fullmatch(r"\d{1,9}", number):
                raise UsageError(f"--map {left!r} is not understood; write one track, like track:3")
            left = f"track:{int(number)}"
        if left in pairs:
            raise UsageError(f"--map gives {left!r} two identities, {pairs[left].identity!r} and {right!r}; keep one")
        pairs[left] = role_named(right, identities, "--map")
    unused = [i + 1 for i in range(len(identities)) if all(role.model != i for role in pairs.values())]
    if unused:
        raise UsageError(
            f"--map makes no use of model {unused[0]}; leave it out, or map someone to one of its identities"
        )
    strangers = [name for name in references if name not in pairs]
    if strangers:
        who = "a person without a name" if strangers[0] == UNNAMED else repr(strangers[0])
        raise UsageError(
            f"--person shows {who}, and --map does not say who that becomes; write name=REF.jpg and map the name"
        )
    return Wish("map", None, references=references, pairs=tuple(pairs.items()))
