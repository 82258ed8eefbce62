"""A faceset on disk: a folder `faces/` and one SQLite file."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import CropMismatchError, UnsupportedInputError, UsageError
from faceswap.facesets.schema import FIGURE_COLUMNS, RECORD_COLUMNS, SCHEMA_VERSION, TABLES, FaceRecord, Figures
from faceswap.facesets.upgrade import upgrade
from faceswap.files import disk_errors_named, remove_stale_temporaries, sync_file, sync_folder, temporary_beside
from faceswap.provenance.consent import ConsentRecord, as_records
from faceswap.schemes import SCHEMES
from faceswap.types import CropSpec

_DATABASE = "faces.db"
_COLUMNS = ", ".join(RECORD_COLUMNS + FIGURE_COLUMNS)
_FILE = re.compile(r"faces/[^/.\0][^/\0]*")
_LOCK_SECONDS = 60.0
"""How long to wait for another command that is writing; the longest transaction writes the rows of one clip."""
_ARRAYS = ("box", "landmarks", "patch_from_frame")


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One clip or picture of a faceset."""

    fingerprint: str
    path: str
    """As it was given."""
    every: int
    num_frames: int


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
        """Open an existing faceset; one of schema 1 is upgraded.

        Raises:
            UsageError: no faceset there. UnsupportedInputError: damaged, or of a later schema version.
        """
        path = Path(path)
        if not (path / _DATABASE).is_file():
            raise UsageError(
                f"{path} is not a faceset (it holds no {_DATABASE}); make one with `faceswap extract CLIP -o {path} --actor NAME`"
            )
        try:
            with _database(path) as database:
                meta = dict(database.execute("SELECT key, value FROM meta"))
                version = int(meta["schema_version"])
                if not 1 <= version <= SCHEMA_VERSION:
                    raise UnsupportedInputError(
                        f"{path} has schema {version}, this version reads 1 to {SCHEMA_VERSION}; extract it again"
                    )
                store = cls(path, meta["actor"], CropSpec(**json.loads(meta["crop"])))
                if version < SCHEMA_VERSION:
                    upgrade(database)
                return store
        except (KeyError, ValueError, TypeError) as error:
            raise _damaged(path, error) from error

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
        try:
            with disk_errors_named(path):
                (path / "faces").mkdir(parents=True, exist_ok=True)
                remove_stale_temporaries(path / _DATABASE)
                with closing(sqlite3.connect(temporary)) as database, database:
                    for statement in TABLES:
                        database.execute(statement)
                    meta = {"schema_version": str(SCHEMA_VERSION), "actor": actor, "crop": json.dumps(asdict(crop))}
                    database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
                sync_file(temporary)
                os.replace(temporary, path / _DATABASE)
                sync_folder(path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        return cls(path, actor, crop)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are all kept or, after an error, none."""
        with _database(self.path) as database, database:
            yield database

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to read by."""
        with _database(self.path) as database:
            yield database

    def has_clip(self, fingerprint: str, every: int) -> bool:
        """True when the clip was extracted already with the same spacing."""
        query = "SELECT 1 FROM clips WHERE fingerprint = ? AND every = ?"
        with _database(self.path) as database:
            return database.execute(query, (fingerprint, every)).fetchone() is not None

    def clips(self) -> list[ClipRow]:
        """Return the clips and pictures, by path."""
        with _database(self.path) as database:
            rows = database.execute("SELECT fingerprint, path, every, num_frames FROM clips ORDER BY path, fingerprint")
            return [ClipRow(*row) for row in rows]

    def add_clip(
        self,
        fingerprint: str,
        clip: Path | str,
        every: int,
        num_frames: int,
        records: Sequence[FaceRecord],
        *,
        is_addition: bool = False,
    ) -> None:
        """Register a clip and its crops (already written) in one transaction.

        Args:
            is_addition: keep what the clip has already. Otherwise it is replaced; crops of the same name that were
                sorted out stay sorted out.
        """
        rows = [_row(record) for record in records]
        with self.transaction() as database:
            query = "SELECT dropped, file FROM faces WHERE clip = ? AND dropped != ''"
            dropped = database.execute(query, (fingerprint,)).fetchall()
            if not is_addition:
                database.execute("DELETE FROM faces WHERE clip = ?", (fingerprint,))
            database.execute(
                "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)",
                (fingerprint, os.fsencode(clip).decode(errors="backslashreplace"), every, num_frames),
            )
            marks = ", ".join("?" * len(RECORD_COLUMNS + FIGURE_COLUMNS))
            database.executemany(f"INSERT INTO faces ({_COLUMNS}) VALUES ({marks})", rows)
            database.executemany("UPDATE faces SET dropped = ? WHERE file = ? AND dropped = ''", dropped)

    def records(self, *, with_dropped: bool = False) -> list[FaceRecord]:
        """Return the kept faces, or all, in a fixed order."""
        chosen = "" if with_dropped else "WHERE dropped = ''"
        query = f"SELECT {_COLUMNS} FROM faces {chosen} ORDER BY clip, frame, track"
        with _database(self.path) as database:
            try:
                return [_record(row) for row in database.execute(query)]
            except (ValueError, TypeError) as error:
                raise _damaged(self.path, error) from error

    def set_figures(self, figures: Mapping[str, Figures]) -> None:
        """Keep what was measured, by file."""
        values = ", ".join(f"{name} = ?" for name in FIGURE_COLUMNS)
        rows = [(*(getattr(found, name) for name in FIGURE_COLUMNS), file) for file, found in figures.items()]
        with self.transaction() as database:
            database.executemany(f"UPDATE faces SET {values} WHERE file = ?", rows)

    def grouping(self) -> str | None:
        """Return what told people apart when they were grouped; None = they are not."""
        return self._meta("grouping")

    def set_clusters(self, clusters: Mapping[str, int], grouping: str) -> None:
        """Keep which person each file shows, and what told people apart."""
        with self.transaction() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES ('grouping', ?)", (grouping,))
            database.execute("UPDATE faces SET cluster = NULL")
            database.executemany("UPDATE faces SET cluster = ? WHERE file = ?", [(c, f) for f, c in clusters.items()])

    def set_era(self, files: Iterable[str], era: str) -> None:
        """Label files."""
        with self.transaction() as database:
            database.executemany("UPDATE faces SET era = ? WHERE file = ?", [(era, file) for file in files])

    def encoder(self) -> str | None:
        """Return which encoder made the identity vectors; None = there are none."""
        return self._meta("encoder")

    def consents(self) -> tuple[ConsentRecord, ...]:
        """Return the consent records that the material was taken under, as they were then.

        Raises:
            ConsentError: one was changed by hand.
        """
        text = self._meta("consents")
        return as_records(json.loads(text), str(self.path)) if text is not None else ()

    def add_consents(self, records: Iterable[ConsentRecord]) -> None:
        """Keep copies of consent records beside those that are there; of one record, the newer copy."""
        kept = {record.record_id: record for record in (*self.consents(), *records)}
        if kept:
            text = json.dumps([record.model_dump(mode="json") for record in kept.values()], sort_keys=True)
            with self.transaction() as database:
                database.execute("INSERT OR REPLACE INTO meta VALUES ('consents', ?)", (text,))

    def _meta(self, key: str) -> str | None:
        with _database(self.path) as database:
            row = database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def embeddings(self, encoder: str) -> dict[str, NDArray[np.float32]]:
        """Return the identity vectors by file; those of another encoder do not count."""
        if self.encoder() != encoder:
            return {}
        with _database(self.path) as database:
            rows = database.execute("SELECT file, embedding FROM faces WHERE embedding IS NOT NULL")
            return {file: np.frombuffer(data, dtype="<f2").astype(np.float32) for file, data in rows}

    def set_embeddings(self, encoder: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep identity vectors by file; those of another encoder are forgotten."""
        with self.transaction() as database:
            if database.execute("SELECT value FROM meta WHERE key = 'encoder'").fetchone() != (encoder,):
                database.execute("UPDATE faces SET embedding = NULL")
                database.execute("INSERT OR REPLACE INTO meta VALUES ('encoder', ?)", (encoder,))
            rows = [(vector.astype("<f2").tobytes(), file) for file, vector in vectors.items()]
            database.executemany("UPDATE faces SET embedding = ? WHERE file = ?", rows)


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection; what the database complains about is told in the words of `errors`."""
    try:
        with disk_errors_named(path), closing(sqlite3.connect(path / _DATABASE, timeout=_LOCK_SECONDS)) as database:
            database.execute("PRAGMA synchronous = FULL")
            yield database
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a mistake of ours, not a damaged file
    except sqlite3.DatabaseError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UnsupportedInputError:
    return UnsupportedInputError(f"{path / _DATABASE} cannot be read ({error}); extract the faceset again")


def _row(record: FaceRecord) -> tuple[object, ...]:
    values = [getattr(record, name) for name in RECORD_COLUMNS]
    figures = record.figures
    measured = [None if figures is None else getattr(figures, name) for name in FIGURE_COLUMNS]
    return tuple(
        json.dumps(np.round(value, 4).tolist()) if isinstance(value, np.ndarray) else value
        for value in [*values, *measured]
    )


def _record(row: tuple) -> FaceRecord:
    values: dict[str, Any] = dict(zip(RECORD_COLUMNS, row, strict=False))
    if not _FILE.fullmatch(values["file"]):  # a stranger's faceset must not reach other files
        raise ValueError(f"{values['file']!r} is no file of a faceset")
    for name in _ARRAYS:
        values[name] = np.array(json.loads(values[name]), dtype=np.float64)
        if not np.isfinite(values[name]).all():
            raise ValueError(f"{name} of {values['file']} is not finite")
    if values["patch_from_frame"].shape != (2, 3) or values["box"].shape != (4,):
        raise ValueError(f"box or matrix of {values['file']} has another shape")
    scheme = SCHEMES.get(values["scheme"])
    if scheme is None or values["landmarks"].shape != (scheme.num_points, 2):
        raise ValueError(f"landmarks of {values['file']} are not of a known scheme")
    measured = row[len(RECORD_COLUMNS) :]
    return FaceRecord(**values, figures=None if None in measured else _figures(measured))


def _figures(measured: Sequence[Any]) -> Figures:
    *numbers, code, look = measured
    if not np.isfinite(np.array(numbers, dtype=np.float64)).all():
        raise ValueError("a figure is not finite")
    return Figures(*[*numbers, str(code), bytes(look)])
