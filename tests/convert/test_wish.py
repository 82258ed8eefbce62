from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.wish import wish_of
from faceswap.errors import UsageError

ONE = [("anna", "bert")]
TWO = [("anna", "bert"), ("anna", "carl")]


def wish(identities: Any = ONE, to: str | None = None, **settings: Any) -> Any:
    return wish_of(ConvertConfig(**settings), identities, to)


def test_nothing_said_is_the_first_identity() -> None:
    assert (wish().way, wish().to) == ("usual", Role(0, "anna"))
    assert wish(to="bert").to == Role(0, "bert")


def test_each_way_is_understood(tmp_path: Path) -> None:
    reference = tmp_path / "r=1.jpg"
    reference.touch()
    assert wish(faces="all").way == "all"
    assert wish(faces="auto").to == Role(0, "anna")
    assert wish(track="3, 7,3").tracks == (3, 7)
    found = wish(person=str(reference))
    assert (found.way, found.references) == ("people", {"": (reference,)})


def test_map_names_people_tracks_and_identities_of_several_models(tmp_path: Path) -> None:
    reference = tmp_path / "dora.jpg"
    reference.touch()
    found = wish(TWO, map="alice=bert, track:03=2:anna,dora=carl", person=(f"dora={reference}",))
    assert found.pairs == (("alice", Role(0, "bert")), ("track:3", Role(1, "anna")), ("dora", Role(1, "carl")))
    assert found.references == {"dora": (reference,)}


def test_several_models_without_more_let_each_know_its_own_people() -> None:
    assert (wish(TWO).way, wish(TWO).to) == ("auto", None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"faces": "main", "track": "3"}, "contradict"),
        ({"track": "3", "map": "a=anna"}, "contradict"),
        ({"faces": "all", "map": "a=anna"}, "no other choice"),
        ({"track": "a"}, "numbers of tracks"),
        ({"track": ""}, "numbers of tracks"),
        ({"map": ""}, "not understood"),
        ({"map": "alice"}, "not understood"),
        ({"map": "alice=zoe"}, "not 'zoe'"),
        ({"map": "alice=anna,alice=bert"}, "two identities"),
        ({"map": "track:x=anna"}, "numbers of tracks"),
        ({"map": "alice=anna", "to": "anna"}, "--to"),
        ({"person": ("missing.jpg",)}, "no picture"),
        ({"to": "zoe"}, "not 'zoe'"),
        ({"map": "alice=anna", "identities": TWO}, "1:anna"),
        ({"map": "alice=zoe", "identities": TWO}, "no model knows"),
        ({"map": "alice=bert", "identities": TWO}, "no use of model 2"),
        ({"identities": [("anna", "bert"), ("carl", "bert")]}, "both swap 'bert'"),
        ({"faces": "main", "identities": TWO}, "2 models were given"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wish(**{"identities": ONE, **settings})


def test_a_named_person_needs_a_map(tmp_path: Path) -> None:
    reference = tmp_path / "dora.jpg"
    reference.touch()
    with pytest.raises(UsageError, match="--map"):
        wish(person=(f"dora={reference}",))
    with pytest.raises(UsageError, match="'dora'"):
        wish(person=(f"dora={reference}",), map="alice=anna")
