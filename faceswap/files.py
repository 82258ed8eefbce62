"""Files that are whole or not there: atomic writes, directory publishing, locks, hashes.

The protocol: write beside the destination, flush, fsync, rename, fsync the folder. Nothing is ever unlinked before
its successor is in place.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faceswap.errors import ResourceError, UsageError

_CHUNK = 1 << 20


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Return a hex SHA-256 over the size and up to three 1 MiB samples: identifies a clip of any length in milliseconds."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in sorted({0, max(0, size // 2 - _CHUNK // 2), max(0, size - _CHUNK)}):
            file.seek(start)
            digest.update(file.read(_CHUNK))
    return digest.hexdigest()


def file_state(path: Path) -> tuple[int, int, int]:
    """Return inode, size and time of change (ns): other numbers, another file or other content."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old content or all of the new."""
    temporary = temporary_beside(path)
    try:
        write_synced(temporary, data)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_synced(path: Path, data: bytes) -> None:
    """Write, flush and fsync."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """fsync a file written by somebody else."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """fsync a folder, so that names in it survive a power cut."""
    if os.name == "nt":  # Windows cannot open folders; its renames are journaled.
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary_beside(path: Path, pid: int | None = None) -> Path:
    """Return a hidden name in the same folder (so that a rename is atomic), same suffix, at most 255 bytes."""
    stem = os.fsdecode(os.fsencode(path.stem)[:200]) if len(os.fsencode(path.name)) > 200 else path.stem
    return path.with_name(f".tmp-{pid or os.getpid()}-{stem}{path.suffix[:16]}")


def short_name(name: str) -> str:
    """Return a name that leaves room for what is added to it (names have at most 255 bytes), and still is its own."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= 180 else f"{os.fsdecode(encoded[:170])}-{zlib.crc32(encoded):08x}"


def readable(name: str) -> str:
    """Return a file's name as text that can be kept anywhere: bytes of it that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def remove_stale_temporaries(path: Path) -> None:
    """Delete what killed processes left of `path` under `temporary_beside`'s names."""
    for found in path.parent.glob(".tmp-*"):
        pid = found.name.split("-")[1]
        is_ours = found.is_file() and pid.isdigit() and found.name == temporary_beside(path, int(pid)).name
        if is_ours and not is_alive(int(pid)):
            found.unlink(missing_ok=True)


def require_space(folder: Path, num_bytes: int) -> None:
    """Raise ResourceError unless `folder`'s disk has 1.2 times `num_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < 1.2 * num_bytes:
        raise ResourceError(
            f"{folder}: {num_bytes / 1e6:.0f} MB are to be written but only {free / 1e6:.0f} MB are free; "
            "make room and repeat the command"
        )


@contextmanager
def disk_errors_named(path: Path) -> Iterator[None]:
    """Turn what a disk or a database says about itself into an error that names the path.

    Raises:
        ResourceError: no space left, or an I/O error. UsageError: a place that cannot be written, or a database that
            another process holds.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise ResourceError(f"cannot write {path}: {error.strerror}; make room and repeat the command") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UsageError(f"cannot write {path}: {error.strerror}; choose another place") from error
        raise
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise ResourceError(f"cannot write {path}: {error}; make room and repeat the command") from error
        if "readonly" in str(error) or "unable to open" in str(error):
            raise UsageError(f"cannot write {path}: {error}; choose another place") from error
        if "locked" in str(error):
            raise UsageError(f"{path} is in use by another command; wait for it and repeat this one") from error
        raise


@contextmanager
def folder_lock(folder: Path, purpose: str) -> Iterator[None]:
    """Hold `folder` for this process; the lock goes with the process, however it ends.

    Raises:
        UsageError: `folder` is a file, or another live process works in it. ResourceError: disk full.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder; choose another place")
    with disk_errors_named(folder):
        descriptor = _lock(folder, purpose)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, purpose: str) -> int:
    """Return the descriptor of the folder's lock file, locked and with this process's number in it."""
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_open_file(descriptor, folder / ".lock"):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
            os.close(descriptor)  # who held it deleted the folder in between: this lock would lock nothing
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise UsageError(
                f"{folder} is in use by process {holder} ({purpose}); wait for it or use another folder"
            ) from None
        except OSError:
            os.close(descriptor)
            raise


def _is_open_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_alive(pid: int) -> bool:
    """True when a process of this number lives on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
