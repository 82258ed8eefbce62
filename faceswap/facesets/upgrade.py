"""Databases of older schemas, brought to the present one."""

from __future__ import annotations

import sqlite3

from faceswap.facesets.schema import ACTION_TABLES, FACES_TABLE, SCHEMA_VERSION

# Schema 1 measured the whole crop in another way: its figures are left out and measured anew when they are needed.
_ROWS_FROM_1 = (
    "INSERT INTO faces (file, clip, frame, pts, time_base, shot, track, score, box, landmarks, patch_from_frame, "
    "scheme, era, dropped) SELECT file, clip, frame, pts, time_base, shot, track, score, box, landmarks, "
    "patch_from_frame, 'five', '', CASE keep WHEN 0 THEN 'sorted out' ELSE '' END FROM faces_1"
)


def upgrade(database: sqlite3.Connection) -> None:
    """Turn schema 1 into the present one, in one transaction; interrupted anywhere, schema 1 is still there."""
    database.isolation_level = None  # Python's own handling would commit before each CREATE
    database.execute("BEGIN IMMEDIATE")
    try:
        version = database.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        if version == ("1",):  # another process may have been first
            for statement in (
                "ALTER TABLE faces RENAME TO faces_1",
                FACES_TABLE,
                _ROWS_FROM_1,
                "DROP TABLE faces_1",
                *ACTION_TABLES,
            ):
                database.execute(statement)
            database.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise
