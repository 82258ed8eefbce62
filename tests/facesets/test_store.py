from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from makers import EXTRACT_CROP, tiny_faceset

from faceswap.errors import CropMismatchError, UnsupportedInputError, UsageError
from faceswap.facesets.store import FaceSet


def test_created_faceset_can_be_opened(tmp_path: Path) -> None:
    FaceSet.create(tmp_path / "anna", "Anna", EXTRACT_CROP)
    opened = FaceSet.open(tmp_path / "anna")
    assert (opened.actor, opened.crop) == ("Anna", EXTRACT_CROP)
    assert opened.records() == []


def test_creating_an_existing_faceset_opens_it(tmp_path: Path) -> None:
    tiny_faceset(tmp_path, "anna")
    assert len(FaceSet.create(tmp_path, "anna", EXTRACT_CROP).records()) == 10


def test_faceset_of_another_actor_is_refused(tmp_path: Path) -> None:
    FaceSet.create(tmp_path, "anna", EXTRACT_CROP)
    with pytest.raises(UsageError, match="'anna', not 'bert'"):
        FaceSet.create(tmp_path, "bert", EXTRACT_CROP)


def test_faceset_with_other_crops_is_refused(tmp_path: Path) -> None:
    FaceSet.create(tmp_path, "anna", EXTRACT_CROP)
    with pytest.raises(CropMismatchError, match="size=128"):
        FaceSet.create(tmp_path, "anna", replace(EXTRACT_CROP, size=128))


def test_folder_that_is_no_faceset_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="faceswap extract"):
        FaceSet.open(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE meta",
        "DELETE FROM meta WHERE key = 'actor'",
        "UPDATE meta SET value = '{\"size\": 64, \"colour\": 1}' WHERE key = 'crop'",
        "UPDATE meta SET value = '7' WHERE key = 'schema_version'",
    ],
)
def test_faceset_that_cannot_be_understood_is_refused(tmp_path: Path, statement: str) -> None:
    tiny_faceset(tmp_path, "anna")
    with closing(sqlite3.connect(tmp_path / "faces.db")) as database, database:
        database.execute(statement)
    with pytest.raises(UnsupportedInputError, match="extract"):
        FaceSet.open(tmp_path)


def test_database_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces.db").write_bytes(b"scribble" * 1000)
    with pytest.raises(UnsupportedInputError, match=r"faces\.db"):
        FaceSet.open(tmp_path)


def test_records_come_back_as_they_were_added(tmp_path: Path) -> None:
    record = FaceSet.open(tiny_faceset(tmp_path / "a", "anna")).records()[4]
    store = FaceSet.create(tmp_path / "b", "anna", EXTRACT_CROP)
    store.add_clip("f" * 64, Path("x.mp4"), 1, 5, [record])
    (again,) = store.records()
    for name in type(record).__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(record, name))


def test_adding_a_clip_again_replaces_its_faces(tmp_path: Path) -> None:
    store = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    store.add_clip("f" * 64, Path("clip.mp4"), 2, 10, store.records()[:3])
    assert len(store.records()) == 3
    assert store.has_clip("f" * 64, 2)
    assert not store.has_clip("f" * 64, 1)


def test_faces_sorted_out_are_left_out(tmp_path: Path) -> None:
    store = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    records = store.records()
    store.add_clip("f" * 64, Path("clip.mp4"), 1, 10, [replace(records[0], dropped="blurred"), *records[1:]])
    assert [record.frame for record in store.records()] == list(range(1, 10))


def test_failed_addition_changes_nothing(tmp_path: Path) -> None:
    store = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    record = store.records()[0]
    with pytest.raises(sqlite3.IntegrityError):
        store.add_clip("f" * 64, Path("clip.mp4"), 5, 10, [record, record])  # one file twice
    assert len(store.records()) == 10
    assert store.has_clip("f" * 64, 1)
