from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from makers import detector
from people import BLUE, RED, BlueJudge, ColorEncoder, judge_model, make_two_person_clip, person

from faceswap.convert.cast import CastingDesk
from faceswap.convert.casting import Casting, Role, casting_lines, casting_rows
from faceswap.convert.config import ConvertConfig
from faceswap.convert.wish import wish_of
from faceswap.errors import NoFaceError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.identity import reference_vectors
from faceswap.faces.index import FaceIndex
from faceswap.media.pictures import write_picture
from faceswap.media.reader import VideoReader
from faceswap.models.likeness import Likeness
from faceswap.models.swap_model import SwapModel


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> VideoReader:
    return VideoReader(make_two_person_clip(tmp_path_factory.mktemp("clips") / "in.mkv"))


@pytest.fixture(scope="module")
def index(reader: VideoReader) -> FaceIndex:
    return analyse(reader, detector())


@pytest.fixture
def models(tmp_path: Path) -> list[SwapModel]:
    return [judge_model(tmp_path / "a"), judge_model(tmp_path / "b", BlueJudge, ("carl", "dora"), size=96)]


@pytest.fixture
def left(index: FaceIndex) -> int:
    """The red person's track."""
    return min(index.faces_at(0), key=lambda face: face.box[0]).track


@pytest.fixture
def cast(reader: VideoReader, index: FaceIndex, models: list[SwapModel]) -> Callable[..., Casting]:
    def cast(
        num_models: int = 1, to: str | None = None, people: dict[int, str] | None = None, **settings: Any
    ) -> Casting:
        config, used = ConvertConfig(**settings), models[:num_models]
        wish = wish_of(config, [model.identities for model in used], to)
        vectors = reference_vectors(wish.references, detector(), ColorEncoder()) if wish.references else {}
        named = replace(index, people=people or {})
        return CastingDesk(reader, named, used, config.choice, ColorEncoder(), vectors, config.min_cosine).cast(wish)

    return cast


def test_main_and_all_and_numbers(cast: Callable[..., Casting], left: int) -> None:
    right = 1 - left
    assert len(cast(faces="main").roles) == 1
    assert cast(faces="all").roles == {0: Role(0, "anna"), 1: Role(0, "anna")}
    assert cast(track=str(right), to="bert").roles == {right: Role(0, "bert")}


def test_the_model_says_who_is_who(cast: Callable[..., Casting], left: int) -> None:
    casting = cast(faces="auto")
    assert casting.roles == {left: Role(0, "anna")}
    assert "looks like bert" in casting.reasons[left]
    assert "nobody known" in casting.reasons[1 - left]
    assert casting.notes == ()


def test_it_does_so_unasked_where_several_people_are_seen(cast: Callable[..., Casting], left: int) -> None:
    casting = cast()
    assert casting.roles == {left: Role(0, "anna")}
    assert "--largest" in casting.notes[0]


def test_unasked_a_model_that_cannot_tell_leaves_it_at_the_largest(
    cast: Callable[..., Casting], models: list[SwapModel]
) -> None:
    largest = cast(faces="main").roles
    models[0].likeness = {}
    assert cast().roles == largest
    models[0].likeness = dict.fromkeys(("anna", "bert"), Likeness(0.5, 0.45))
    assert cast().roles == largest


def test_a_model_without_figures_is_believed_when_it_is_plain(
    cast: Callable[..., Casting], models: list[SwapModel], left: int
) -> None:
    models[0].likeness = {}
    assert cast(faces="auto").roles == {left: Role(0, "anna")}


def test_a_model_that_cannot_tell_says_so(cast: Callable[..., Casting], models: list[SwapModel]) -> None:
    models[0].likeness = dict.fromkeys(("anna", "bert"), Likeness(0.5, 0.45))
    with pytest.raises(NoFaceError, match="not trained far enough to tell who is bert"):
        cast(faces="auto")


def test_whoever_has_the_face_already_stays(cast: Callable[..., Casting], left: int) -> None:
    with pytest.raises(NoFaceError, match=r"looks like bert.*who stays"):
        cast(faces="auto", to="bert")


def test_strangers_are_not_swapped(cast: Callable[..., Casting], models: list[SwapModel], index: FaceIndex) -> None:
    models[0].rebuild_scores = lambda patches: (patches.mean(dim=(1, 2, 3))[:, None] * 0 + 0.45).expand(-1, 2)  # type: ignore[method-assign]
    with pytest.raises(NoFaceError, match=r"nobody to swap was recognised.*--track or --largest.*tracks 0 \(shot 1"):
        cast(faces="auto")


def test_what_is_not_sure_stays_and_is_said(cast: Callable[..., Casting], models: list[SwapModel], left: int) -> None:
    sure = models[0].rebuild_scores
    models[0].rebuild_scores = lambda patches: sure(patches) * 0.73  # type: ignore[method-assign]
    with pytest.raises(NoFaceError, match=f"track {left} may be one to swap.*--track"):
        cast(faces="auto")


def test_each_of_several_models_swaps_its_own_people(cast: Callable[..., Casting], left: int) -> None:
    assert cast(2).roles == {left: Role(0, "anna"), 1 - left: Role(1, "carl")}


def test_map_takes_identities_tracks_and_names_by_hand(cast: Callable[..., Casting], left: int) -> None:
    right = 1 - left
    both = {left: Role(0, "anna"), right: Role(1, "carl")}
    assert cast(2, map=f"bert=anna,track:{right}=carl").roles == both
    assert cast(2, map="bert=anna,dora=carl").roles == both
    assert cast(2, people={left: "alice", right: "bob"}, map="alice=carl,bob=anna").roles == {
        left: Role(1, "carl"),
        right: Role(0, "anna"),
    }
    assert cast(map="bert=anna").roles == {left: Role(0, "anna")}  # who is not mapped stays


def test_a_person_whom_two_models_know_is_one_person(
    cast: Callable[..., Casting], models: list[SwapModel], left: int, tmp_path: Path
) -> None:
    models[1] = judge_model(tmp_path / "c", identities=("emil", "bert"))
    right = 1 - left
    casting = cast(2, map=f"bert=emil,track:{right}=anna")
    assert casting.roles == {left: Role(1, "emil"), right: Role(0, "anna")}
    assert casting.notes == ()


def test_names_given_by_hand_count_more_than_the_model(cast: Callable[..., Casting], left: int) -> None:
    assert cast(people={1 - left: "bert"}, map="bert=anna").roles == {1 - left: Role(0, "anna")}


def test_a_person_is_found_by_pictures(cast: Callable[..., Casting], left: int, tmp_path: Path) -> None:
    for name, tint in (("red", RED), ("blue", BLUE)):
        write_picture(tmp_path / f"{name}.png", person(tint))
    assert cast(person=str(tmp_path / "blue.png"), to="bert").roles == {1 - left: Role(0, "bert")}
    pictures = (f"r={tmp_path / 'red.png'}", f"b={tmp_path / 'blue.png'}")
    assert cast(person=pictures, map="r=bert,b=anna").roles == {left: Role(0, "bert"), 1 - left: Role(0, "anna")}


def test_a_person_who_is_not_in_the_clip_is_an_error(cast: Callable[..., Casting], tmp_path: Path) -> None:
    write_picture(tmp_path / "green.png", person((0.4, 1.0, 0.4)))
    with pytest.raises(NoFaceError, match="cosine"):
        cast(person=str(tmp_path / "green.png"), min_cosine=0.9)


@pytest.mark.parametrize("settings", [{"track": "9"}, {"map": "track:9=anna"}])
def test_unknown_tracks_are_refused_with_those_there_are(
    cast: Callable[..., Casting], settings: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match=r"no track 9; the clip has the tracks 0 \(shot 1, frames 0-11, \d+ px\), 1"):
        cast(**settings)


def test_unknown_names_are_refused_with_those_there_are(cast: Callable[..., Casting]) -> None:
    with pytest.raises(UsageError, match=r"nobody is called 'zoe'.*alice, anna, bert"):
        cast(people={0: "alice"}, map="zoe=anna")


def test_rows_and_sentences_name_every_track(cast: Callable[..., Casting], index: FaceIndex, left: int) -> None:
    rows = casting_rows(index, cast(faces="auto"))
    assert [(row["track"], row["to"]) for row in rows] == [(t, "anna" if t == left else None) for t in (0, 1)]
    first, second = casting_lines(rows)
    assert first.startswith(f"track {left} (frames 0-11) -> anna: looks like bert")
    assert second.startswith(f"track {1 - left} (frames 0-11) stays: nobody known")
    assert "1 more" in casting_lines(rows, limit=1)[-1]
