"""What this user has made: one SQLite file, from the id in an output back to what is known of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.files import disk_errors_named, readable
from faceswap.store import data_home

_VERSION = 1
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One output."""

    mark_id: str
    """Ten hexadecimal digits; one conversion that is repeated has one id."""
    path: str
    """Where it was written, absolute."""
    sha256: str
    """Of the file as it was published; of a folder of pictures, of its table."""
    made_at: str
    """UTC."""
    source: str
    """Path of the input, absolute."""
    source_fingerprint: str
    identities: str
    """Whose faces appear, separated by commas."""
    models: str
    """SHA-256 of each, separated by commas."""
    consent_ids: str
    consent_sha256s: str
    has_watermark: int
    """0 or 1."""
    version: str
    """Of faceswap."""


_COLUMNS = tuple(field.name for field in fields(RegistryEntry))
_TABLE = (
    "CREATE TABLE IF NOT EXISTS outputs ("
    + ", ".join(f"{name} {'INTEGER' if name == 'has_watermark' else 'TEXT'} NOT NULL" for name in _COLUMNS)
    + ", PRIMARY KEY (mark_id, path, sha256)) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True)
class Registry:
    """The file; made when something is added."""

    path: Path

    @classmethod
    def of_user(cls) -> Registry:
        """Return the registry in the user's data folder."""
        return cls(data_home() / "provenance" / "outputs.db")

    def add(self, entries: list[RegistryEntry]) -> None:
        """Note outputs, all or none; several processes may do so at once.

        Raises:
            UsageError: the file is damaged, or cannot be written. ResourceError: disk full.
        """
        with disk_errors_named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._open() as database, database:
            _insert(database, entries)

    def check(self) -> None:
        """Find out whether outputs can be noted, without doing so: before hours of work rather than after.

        Raises:
            UsageError, ResourceError: as `add`.
        """
        if not os.path.lexists(self.path):
            return  # nothing that could be damaged; `add` begins it
        with self._open() as database:
            _insert(database, [RegistryEntry("", "", "", "", "", "", "", "", "", "", 0, "")])
            database.execute("ROLLBACK")

    def of_id(self, mark_id: str) -> list[RegistryEntry]:
        """Return the outputs with an id, the newest first."""
        return self._select("mark_id = ?", mark_id)

    def of_sha256(self, sha256: str) -> list[RegistryEntry]:
        """Return the outputs that had exactly these bytes, the newest first."""
        return self._select("sha256 = ?", sha256)

    def entries(self) -> list[RegistryEntry]:
        """Return all outputs, the newest first."""
        return self._select("?", "1")

    def _select(self, condition: str, value: str) -> list[RegistryEntry]:
        if not self.path.is_file():
            return []
        query = f"SELECT {', '.join(_COLUMNS)} FROM outputs WHERE {condition} ORDER BY made_at DESC, path"
        with self._open() as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'outputs'").fetchone():
                return []
            return [RegistryEntry(*row) for row in database.execute(query, (value,))]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with disk_errors_named(self.path):
                connection = sqlite3.connect(self.path, timeout=_LOCK_SECONDS, isolation_level=None)
                self.path.chmod(0o600)
                with closing(connection) as database:
                    (version,) = database.execute("PRAGMA user_version").fetchone()
                    if version > _VERSION:
                        raise UsageError(f"{self.path} is of a later version of faceswap; update this one")
                    database.execute("PRAGMA synchronous = FULL")
                    yield database
        except sqlite3.DatabaseError as error:
            raise UsageError(
                f"{self.path}, the registry of outputs, is damaged ({error}); move it away, and a new one is begun"
            ) from error


def _insert(database: sqlite3.Connection, entries: list[RegistryEntry]) -> None:
    """Begin a transaction and put entries in."""
    database.execute("BEGIN IMMEDIATE")
    database.execute(_TABLE)
    database.execute("CREATE INDEX IF NOT EXISTS by_sha256 ON outputs (sha256)")
    database.execute(f"PRAGMA user_version = {_VERSION}")
    marks = ", ".join("?" * len(_COLUMNS))
    database.executemany(
        f"INSERT OR REPLACE INTO outputs ({', '.join(_COLUMNS)}) VALUES ({marks})",
        [[readable(each) if isinstance(each, str) else each for each in astuple(entry)] for entry in entries],
    )
