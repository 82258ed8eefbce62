from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from makers import face_at, frame_table

from faceswap.errors import ResourceError, UnsupportedInputError
from faceswap.faces import index as index_module
from faceswap.faces.index import FaceIndex
from faceswap.types import Shot


def small_index() -> FaceIndex:
    faces = [
        face_at(50 + frame, 60, 20, angle=0.1, frame=frame, track=track) for frame in (0, 1, 5) for track in (0, 1)
    ]
    faces[2] = replace(faces[2], is_interpolated=True)
    shots = (Shot(0, 4, "start"), Shot(4, 8, "dissolve"))
    return FaceIndex("ab" * 32, "centerface-1", frame_table(8), 1, 24, (), (), shots, tuple(faces))


def test_index_comes_back_from_its_file(tmp_path: Path) -> None:
    index = small_index()
    index.save(tmp_path / "new folder" / "clip.faces.db")
    loaded = FaceIndex.load(tmp_path / "new folder" / "clip.faces.db")
    for name in ("fingerprint", "detector", "num_frames", "every", "min_face_px", "shots"):
        assert getattr(loaded, name) == getattr(index, name)
    assert loaded.frames.time_base == index.frames.time_base
    for name in ("pts", "duration", "digest"):
        np.testing.assert_array_equal(getattr(loaded.frames, name), getattr(index.frames, name))
    assert len(loaded.faces) == len(index.faces)
    for a, b in zip(loaded.faces, index.faces, strict=True):
        for name in ("frame", "track", "score", "scheme", "is_interpolated"):
            assert getattr(a, name) == getattr(b, name)
        for name in ("box", "landmarks", "frame_from_canonical"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-6)


def test_faces_are_found_by_frame() -> None:
    index = small_index()
    assert [face.track for face in index.faces_at(5)] == [0, 1]
    assert list(index.faces_at(2)) == []


@pytest.mark.parametrize(("frame", "shot"), [(0, 0), (3, 0), (4, 1), (7, 1)])
def test_shot_of_a_frame(frame: int, shot: int) -> None:
    assert small_index().shot_of(frame) == shot


def damage_nothing_there(path: Path) -> None:
    path.unlink()


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 400)


def damage_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_field(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE faces SET box = '[1, 2'")


def damage_transition(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE shots SET transition = 'wipe'")


def damage_missing_key(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM meta WHERE key = 'every'")


@pytest.mark.parametrize(
    "damage",
    [
        damage_nothing_there,
        damage_empty,
        damage_garbage,
        damage_truncated,
        damage_field,
        damage_transition,
        damage_missing_key,
    ],
)
def test_damaged_index_is_named_as_such(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "clip.faces.db"
    small_index().save(path)
    damage(path)  # type: ignore[operator]
    with pytest.raises(UnsupportedInputError, match=r"clip\.faces\.db"):
        FaceIndex.load(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE faces SET frame_from_canonical = '[[NaN, 0, 0], [0, NaN, 0]]' WHERE frame = 1",
        "UPDATE faces SET frame_from_canonical = '[[0, 0, 0], [0, 0, 0]]' WHERE frame = 1",
        "UPDATE faces SET frame_from_canonical = '[1]'",
        "UPDATE faces SET scheme = 'of another planet'",
        "UPDATE faces SET landmarks = '[[1, 2]]'",
        "UPDATE faces SET box = '[1, 2]'",
        "UPDATE faces SET frame = 99 WHERE frame = 5",
        "UPDATE faces SET frame = -5 WHERE frame = 5",
        "UPDATE shots SET start = 9 WHERE start = 4",
        "DELETE FROM shots",
        "DELETE FROM frames",
        "UPDATE meta SET value = '1/0' WHERE key = 'time_base'",
    ],
)
def test_index_that_contradicts_itself_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "clip.faces.db"
    small_index().save(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    with pytest.raises(UnsupportedInputError, match="delete it to analyse anew"):
        FaceIndex.load(path)


def test_index_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.faces.db"
    small_index().save(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(UnsupportedInputError, match="schema 99"):
        FaceIndex.load(path)


def test_failed_save_leaves_the_old_index_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.faces.db"
    small_index().save(path)
    before = path.read_bytes()

    def disk_full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_module, "sync_file", disk_full)
    with pytest.raises(ResourceError, match="No space left"):
        small_index().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
