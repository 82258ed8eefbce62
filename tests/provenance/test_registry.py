"""The registry of outputs: damaged, replaced and in use by others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from faceswap.errors import UsageError
from faceswap.provenance import registry as module
from faceswap.provenance.registry import Registry, RegistryEntry

ENTRY = RegistryEntry(
    "00112233aa", "/out.mp4", "ab", "2026-01-01T00:00:00Z", "/in.mp4", "f", "anna", "m", "c", "d", 1, "0"
)


def test_checking_notes_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "outputs.db")
    registry.check()
    assert not registry.path.exists()
    registry.add([ENTRY])
    registry.check()
    assert registry.entries() == [ENTRY]
    registry.add([replace(ENTRY, path="/other.mp4")])
    assert len(registry.of_id(ENTRY.mark_id)) == 2


@pytest.mark.parametrize("content", [b"no database at all " * 99, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_registry_is_found_before_it_is_needed(tmp_path: Path, content: bytes) -> None:
    registry = Registry(tmp_path / "outputs.db")
    registry.path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is damaged .*move it away"):
        registry.check()
    assert registry.path.read_bytes() == content


def test_a_database_of_something_else_is_found(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "outputs.db")
    with closing(sqlite3.connect(registry.path)) as database, database:
        database.execute("CREATE TABLE outputs (sha256, something)")
    with pytest.raises(UsageError, match="is damaged"):
        registry.check()


def test_a_registry_that_another_program_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.0)
    registry = Registry(tmp_path / "outputs.db")
    registry.add([ENTRY])
    with closing(sqlite3.connect(registry.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UsageError, match="is in use by another command"):
            registry.check()
    registry.check()
