"""The user's consent records: one private JSON file each, in the user's data folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faceswap.errors import ConsentError, UsageError
from faceswap.files import disk_errors_named, sync_folder, temporary_beside, write_synced
from faceswap.provenance.consent import MAX_BYTES, ConsentRecord, moment
from faceswap.store import data_home


@dataclass(frozen=True, slots=True)
class ConsentStore:
    """The folder of records; made when the first one is added."""

    folder: Path

    @classmethod
    def of_user(cls) -> ConsentStore:
        """Return the store in the user's data folder."""
        return cls(data_home() / "consent")

    def ids(self) -> list[str]:
        """Return the ids of all records, in order."""
        return sorted(path.stem for path in self.folder.glob("*.json") if path.is_file())

    def records(self) -> list[ConsentRecord]:
        """Return all records.

        Raises:
            ConsentError: one is damaged.
        """
        return [self._read(record_id) for record_id in self.ids()]

    def whole_and_damaged(self) -> tuple[list[ConsentRecord], list[str]]:
        """Return the records that can be read, and what is wrong with each of the others."""
        whole, damaged = [], []
        for record_id in self.ids():
            try:
                whole.append(self._read(record_id))
            except ConsentError as error:
                damaged.append(str(error))
        return whole, damaged

    def get(self, record_id: str) -> ConsentRecord | None:
        """Return the record of exactly this id, or None.

        Raises:
            ConsentError: it is damaged.
        """
        return self._read(record_id) if record_id in self.ids() else None

    def find(self, word: str) -> ConsentRecord:
        """Return the record of an id, or of the beginning of one.

        Raises:
            UsageError: there is none, or there are several. ConsentError: it is damaged.
        """
        ids = self.ids()
        found = [word] if word in ids else [each for each in ids if word and each.startswith(word)]
        if len(found) == 1:
            return self._read(found[0])
        if found:
            raise UsageError(f"several consent records begin with {word!r}: {', '.join(found)}; write more of the id")
        raise UsageError(
            f"there is no consent record {word!r}; `faceswap consent list` names them, "
            "`faceswap consent new NAME --basis BASIS --adult` makes one"
        )

    def find_or_adopt(self, word: str) -> ConsentRecord:
        """Return a record by id, or out of a file, which is then kept here too, so that it can be revoked.

        Raises:
            UsageError, ConsentError: as `find`, or the file holds no record.
        """
        path = Path(word)
        if not path.is_file():
            return self.find(word)
        with path.open("rb") as file:  # of any size: what is too large is not read in whole
            record = ConsentRecord.from_bytes(file.read(MAX_BYTES + 1), str(path))
        with self._locked():
            known = self.get(record.record_id)
            latest = latest_of(record, known)
            if latest != known:
                self._write(latest)
        return latest

    def of_identity(self, identity: str) -> list[ConsentRecord]:
        """Return the records of a person that models know by this name, the newest first."""
        found = [record for record in self.records() if identity in record.subject.names]
        return sorted(found, key=lambda record: record.obtained_at, reverse=True)

    def by_sha256(self, sha256: str) -> ConsentRecord | None:
        """Return the record whose body has, or once had, this hash; damaged records are passed over."""
        for record_id in self.ids():
            try:
                record = self._read(record_id)
            except ConsentError:
                continue
            if sha256 in record.past_sha256s:
                return record
        return None

    def add(self, record: ConsentRecord) -> None:
        """Keep a new record.

        Raises:
            UsageError: the folder cannot be written. ResourceError: disk full.
        """
        with self._locked():
            self._write(record)

    def note(self, record_id: str, what: str, by: str, details: str) -> ConsentRecord:
        """Add a line to a record's history; return the record.

        Raises:
            UsageError: no such record. ConsentError: it is damaged.
        """
        with self._locked():
            record = self.find(record_id).noted(what, by, details)
            self._write(record)
            return record

    def revoke(self, word: str, by: str, reason: str) -> ConsentRecord:
        """Mark a record as revoked; every later run that would use it is refused.

        Args:
            reason: in words; needed where the record says that it cannot be revoked.

        Raises:
            UsageError: no such record, it is revoked already, or a reason is needed.
        """
        with self._locked():
            record = self.find(word)
            if record.revoked_at is not None:
                raise UsageError(f"the record {record.record_id} was revoked already, on {record.revoked_at}")
            if not record.revocable and not reason.strip():
                raise UsageError(
                    f"the record {record.record_id} says that it cannot be revoked; to stop its use all the same, say why "
                    "with --reason"
                )
            revoked = record.noted("revoked", by, reason, revoked_at=moment())
            self._write(revoked)
            return revoked

    def _path(self, record_id: str) -> Path:
        return self.folder / f"{record_id}.json"

    def _read(self, record_id: str) -> ConsentRecord:
        path = self._path(record_id)
        try:
            record = ConsentRecord.from_bytes(path.read_bytes(), str(path))
        except ConsentError as error:
            raise ConsentError(f"{error}; or move that file out of {self.folder}") from error
        if record.record_id != record_id:
            raise ConsentError(f"{path} holds the record {record.record_id}; give the file that name")
        return record

    def _write(self, record: ConsentRecord) -> None:
        path = self._path(record.record_id)
        temporary = temporary_beside(path)
        with disk_errors_named(path):
            try:
                temporary.touch(mode=0o600)
                write_synced(temporary, record.to_bytes())
                os.replace(temporary, path)
                sync_folder(self.folder)
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder; waits for other commands, which need milliseconds."""
        import fcntl

        with disk_errors_named(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def latest_of(record: ConsentRecord, known: ConsentRecord | None) -> ConsentRecord:
    """Return the later of two copies of one record; where both went on differently, one that is revoked.

    Raises:
        ConsentError: two different records with one id.
    """
    if known is None:
        return record
    ours, theirs = ([line.sha256 for line in each.audit] for each in (known, record))
    if ours[: len(theirs)] == theirs:
        return known
    if theirs[: len(ours)] == ours:
        return record
    if ours[0] != theirs[0]:
        raise ConsentError(f"there are two different consent records with the id {record.record_id}; make a new one")
    return record if record.revoked_at is not None else known


def evidence_of(words: list[str]) -> list[dict[str, str]]:
    """Return the evidence that options name, "KIND=FILE" or "FILE": the files stay where they are, their hashes are kept.

    Raises:
        UsageError: no such file.
    """
    found = []
    for word in words:
        kind, separator, name = word.partition("=")
        if not separator or Path(word).is_file():
            kind, name = Path(word).suffix.lstrip(".").lower() or "document", word
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"--evidence {word}: there is no file {name}; write FILE or KIND=FILE")
        with path.open("rb") as file:
            found.append({"kind": kind, "sha256": hashlib.file_digest(file, "sha256").hexdigest()})
    return found
