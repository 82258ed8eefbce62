from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from portraits import CROP, portrait

from faceswap.errors import UnsupportedInputError
from faceswap.facesets import upgrade
from faceswap.facesets.measure import measured_records
from faceswap.facesets.store import FaceSet
from faceswap.media.pictures import write_picture

_SCHEMA_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clips (
    fingerprint TEXT PRIMARY KEY, path TEXT NOT NULL, every INTEGER NOT NULL, num_frames INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE faces (
    file TEXT PRIMARY KEY, clip TEXT NOT NULL REFERENCES clips (fingerprint), frame INTEGER NOT NULL,
    pts INTEGER NOT NULL, time_base TEXT NOT NULL, shot INTEGER NOT NULL, track INTEGER NOT NULL,
    score REAL NOT NULL, box TEXT NOT NULL, landmarks TEXT NOT NULL, patch_from_frame TEXT NOT NULL,
    sharpness REAL NOT NULL, brightness REAL NOT NULL, keep INTEGER NOT NULL
) WITHOUT ROWID;
"""


@pytest.fixture
def old_set(tmp_path: Path) -> Path:
    """Three faces in a faceset of schema 1; the last is sorted out."""
    (tmp_path / "faces").mkdir()
    rgb, record = portrait()
    with closing(sqlite3.connect(tmp_path / "faces.db")) as database, database:
        database.executescript(_SCHEMA_1)
        meta = {"schema_version": "1", "actor": "anna", "crop": json.dumps(asdict(CROP))}
        database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        database.execute("INSERT INTO clips VALUES (?, 'old.mp4', 1, 3)", (record.clip,))
        arrays = [json.dumps(a.tolist()) for a in (record.box, record.landmarks, record.patch_from_frame)]
        for i in range(3):
            write_picture(tmp_path / f"faces/{i}.png", rgb)
            row = (f"faces/{i}.png", record.clip, i, i, "1/25", 0, 0, 0.9, *arrays, 1234.0, 100.0, int(i < 2))
            database.execute(f"INSERT INTO faces VALUES ({', '.join('?' * len(row))})", row)
    return tmp_path


def version(path: Path) -> str:
    with closing(sqlite3.connect(path / "faces.db")) as database:
        return database.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()[0]


def test_faceset_of_schema_1_opens_with_all_it_holds(old_set: Path) -> None:
    store = FaceSet.open(old_set)
    assert version(old_set) == "2"
    records = store.records(with_dropped=True)
    assert [(r.file, bool(r.dropped), r.scheme, r.figures) for r in records] == [
        ("faces/0.png", False, "five", None),
        ("faces/1.png", False, "five", None),
        ("faces/2.png", True, "five", None),
    ]
    _, record = portrait()
    np.testing.assert_allclose(records[0].landmarks, record.landmarks)
    assert [clip.path for clip in store.clips()] == ["old.mp4"]
    # Old figures were measured in another way; new ones come when they are needed.
    figures = measured_records(store)[0].figures
    assert figures is not None
    assert figures.sharpness < 5


def test_upgraded_faceset_opens_again(old_set: Path) -> None:
    FaceSet.open(old_set)
    assert len(FaceSet.open(old_set).records()) == 2


@pytest.mark.parametrize("statement", range(5))
def test_interrupted_upgrade_leaves_schema_1(old_set: Path, monkeypatch: pytest.MonkeyPatch, statement: int) -> None:
    before = (old_set / "faces.db").read_bytes()
    broken = "SELECT * FROM no_such_table"
    if statement < 2:
        monkeypatch.setattr(upgrade, ("FACES_TABLE", "_ROWS_FROM_1")[statement], broken)
    else:
        tables = list(upgrade.ACTION_TABLES)
        tables.insert(statement - 2, broken)
        monkeypatch.setattr(upgrade, "ACTION_TABLES", tables)
    with pytest.raises(UnsupportedInputError, match="no_such_table"):
        FaceSet.open(old_set)
    assert version(old_set) == "1"
    assert (old_set / "faces.db").read_bytes() == before
    monkeypatch.undo()
    assert len(FaceSet.open(old_set).records(with_dropped=True)) == 3


def test_later_schema_is_refused(old_set: Path) -> None:
    with closing(sqlite3.connect(old_set / "faces.db")) as database, database:
        database.execute("UPDATE meta SET value = '3' WHERE key = 'schema_version'")
    with pytest.raises(UnsupportedInputError, match="reads 1 to 2"):
        FaceSet.open(old_set)
