"""A faceset on disk: a folder `faces/` and one SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np

from faceswap.errors import CropMismatchError, UnsupportedInputError, UsageError
from faceswap.facesets.schema import SCHEMA_VERSION, TABLES, FaceRecord
from faceswap.files import disk_errors_named, sync_file, sync_folder, temporary_beside
from faceswap.types import CropSpec

_DATABASE = "faces.db"


class FaceSet:
    """Aligned crops of one actor.

    Use `FaceSet.open` or `FaceSet.create`.
    """

    def __init__(self, path: Path, actor: str, crop: CropSpec) -> None:
        self.path, self.actor, self.crop = path, actor, crop

    def __repr__(self) -> str:
        return f"FaceSet({self.actor!r}, {self.crop.coverage} {self.crop.size} px, {self.path})"

    @classmethod
    def open(cls, path: Path | str) -> FaceSet:
        """Open an existing faceset.

        Raises:
            UsageError: no faceset there. UnsupportedInputError: damaged, or of another schema version.
        """
        path = Path(path)
        if not (path / _DATABASE).is_file():
            raise UsageError(
                f"{path} is not a faceset (it holds no {_DATABASE}); make one with `faceswap extract CLIP -o {path} --actor NAME`"
            )
        try:
            with closing(_connect(path)) as database:
                meta = dict(database.execute("SELECT key, value FROM meta"))
            if int(meta["schema_version"]) != SCHEMA_VERSION:
                raise UnsupportedInputError(
                    f"{path} has schema {meta['schema_version']}, this version reads {SCHEMA_VERSION}; extract it again"
                )
            return cls(path, meta["actor"], CropSpec(**json.loads(meta["crop"])))
        except (sqlite3.Error, KeyError, ValueError, TypeError) as error:
            raise UnsupportedInputError(
                f"{path / _DATABASE} cannot be read ({error}); extract the faceset again"
            ) from error

    @classmethod
    def create(cls, path: Path | str, actor: str, crop: CropSpec) -> FaceSet:
        """Open the faceset at `path`, or make an empty one.

        Raises:
            UsageError: it belongs to another actor. CropMismatchError: it has other crops.
        """
        path = Path(path)
        if (path / _DATABASE).is_file():
            existing = cls.open(path)
            if existing.actor != actor:
                raise UsageError(f"{path} holds faces of {existing.actor!r}, not {actor!r}; use another folder")
            if existing.crop != crop:
                raise CropMismatchError(f"{path} holds crops {existing.crop}, asked for {crop}; use another folder")
            return existing
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file, not a folder; choose another place for the faceset")
        temporary = temporary_beside(path / _DATABASE)
        with disk_errors_named(path):
            (path / "faces").mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(temporary)) as database, database:
                database.executescript(TABLES)
                meta = {"schema_version": str(SCHEMA_VERSION), "actor": actor, "crop": json.dumps(asdict(crop))}
                database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            sync_file(temporary)
            os.replace(temporary, path / _DATABASE)
            sync_folder(path)
        return cls(path, actor, crop)

    def has_clip(self, fingerprint: str, every: int) -> bool:
        """True when the clip was extracted already with the same spacing."""
        query = "SELECT 1 FROM clips WHERE fingerprint = ? AND every = ?"
        with closing(_connect(self.path)) as database:
            return database.execute(query, (fingerprint, every)).fetchone() is not None

    def add_clip(
        self, fingerprint: str, clip: Path, every: int, num_frames: int, records: Sequence[FaceRecord]
    ) -> None:
        """Register a clip and its crops (already written) in one transaction, replacing what the clip had before."""
        rows = [_row(record) for record in records]
        with disk_errors_named(self.path), closing(_connect(self.path)) as database, database:
            database.execute("DELETE FROM faces WHERE clip = ?", (fingerprint,))
            database.execute(
                "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)",
                (fingerprint, os.fsencode(clip).decode(errors="backslashreplace"), every, num_frames),
            )
            database.executemany(f"INSERT INTO faces VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def records(self) -> list[FaceRecord]:
        """Return the kept faces in a fixed order."""
        query = "SELECT * FROM faces WHERE keep = 1 ORDER BY clip, frame, track"
        with closing(_connect(self.path)) as database:
            return [_record(row) for row in database.execute(query)]


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path / _DATABASE)
    database.execute("PRAGMA synchronous = FULL")
    return database


def _row(record: FaceRecord) -> tuple[object, ...]:
    values = {name: getattr(record, name) for name in FaceRecord.__dataclass_fields__}
    return tuple(
        json.dumps(np.round(value, 4).tolist()) if isinstance(value, np.ndarray) else value for value in values.values()
    )


def _record(row: tuple) -> FaceRecord:
    values = dict(zip(FaceRecord.__dataclass_fields__, row, strict=True))
    for name in ("box", "landmarks", "patch_from_frame"):
        values[name] = np.array(json.loads(values[name]), dtype=np.float64)
    return FaceRecord(**{**values, "keep": bool(values["keep"])})
