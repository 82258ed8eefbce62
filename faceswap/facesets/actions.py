"""Sorting crops out and taking them back: only flags change, and every change is logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from faceswap.errors import UsageError
from faceswap.facesets.store import FaceSet


@dataclass(frozen=True, slots=True)
class Action:
    """One logged command."""

    number: int
    time: str
    """UTC, ISO 8601."""
    what: str
    num_changes: int
    is_undone: bool


def drop(faceset: FaceSet, reasons: Mapping[str, str], what: str) -> int:
    """Sort files out, with a reason for each; return how many were kept before.

    Args:
        reasons: file -> why. Files that were sorted out before keep their reason.
        what: the command, for the log.
    """
    return _change(faceset, reasons, what)


def restore(faceset: FaceSet, files: Sequence[str] | None = None) -> int:
    """Take files back, or all that were sorted out; return how many."""
    if files is None:
        files = [record.file for record in faceset.records(with_dropped=True) if record.dropped]
    return _change(faceset, dict.fromkeys(files, ""), "restore")


def undo_last(faceset: FaceSet) -> tuple[Action, int]:
    """Take back the last action that is not undone yet; return it and the number of crops that changed.

    Raises:
        UsageError: there is none.
    """
    last = next((action for action in log(faceset) if not action.is_undone), None)
    if last is None:
        raise UsageError(f"{faceset.path}: nothing to undo; `faceset show` lists what was done")
    with faceset.transaction() as database:
        query = "SELECT before, file FROM changes WHERE action = ?"
        changes = database.execute(query, (last.number,)).fetchall()
        database.executemany("UPDATE faces SET dropped = ? WHERE file = ?", changes)
        database.execute("UPDATE actions SET is_undone = 1 WHERE id = ?", (last.number,))
    return last, len(changes)


def log(faceset: FaceSet) -> list[Action]:
    """Return what was done, latest first."""
    query = "SELECT id, time, what, (SELECT COUNT(*) FROM changes WHERE action = id), is_undone FROM actions ORDER BY id DESC"
    with closing(faceset.connect()) as database:
        return [
            Action(number, time, what, n, bool(undone)) for number, time, what, n, undone in database.execute(query)
        ]


def _change(faceset: FaceSet, reasons: Mapping[str, str], what: str) -> int:
    with faceset.transaction() as database:
        known = dict(database.execute("SELECT file, dropped FROM faces"))
        unknown = sorted(set(reasons) - set(known))
        if unknown:
            raise UsageError(f"{faceset.path} has no crop {unknown[0]!r}; `faceset show` lists its clips")
        # Dropped stays dropped for its first reason; "" takes back.
        changes = [(f, known[f], reason) for f, reason in reasons.items() if bool(known[f]) != bool(reason)]
        if not changes:
            return 0
        now = datetime.now(UTC).isoformat(timespec="seconds")
        action = database.execute("INSERT INTO actions (time, what, is_undone) VALUES (?, ?, 0)", (now, what)).lastrowid
        database.executemany("INSERT INTO changes VALUES (?, ?, ?, ?)", [(action, *change) for change in changes])
        database.executemany("UPDATE faces SET dropped = ? WHERE file = ?", [(new, file) for file, _, new in changes])
    return len(changes)
