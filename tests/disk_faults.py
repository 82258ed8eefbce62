"""A disk that fails, or loses power, at a chosen operation: for tests of what must survive that."""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OPERATIONS = ("fsync", "rename", "replace", "mkdir", "unlink", "remove", "rmdir")
"""What changes a folder or makes a change last; the names of functions of `os`."""

OnOperation = Callable[[str, tuple[Any, ...]], None]


@contextmanager
def watched(before: OnOperation, after: OnOperation = lambda *_: None) -> Iterator[None]:
    """Call `before` and `after` around each of this process's `OPERATIONS`, with its name and arguments."""
    real = {name: getattr(os, name) for name in OPERATIONS}

    def wrap(name: str) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            before(name, arguments)
            result = real[name](*arguments, **options)
            after(name, arguments)
            return result

        return operation

    try:
        for name in OPERATIONS:
            setattr(os, name, wrap(name))
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def count_operations(work: Callable[[], object]) -> Counter[str]:
    """Return how often `work` does each operation."""
    seen: Counter[str] = Counter()
    with watched(lambda name, _: seen.update([name])):
        work()
    return seen


def is_killed_at(place: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that is killed before its operation number `place`, from 1; False = there were fewer.

    A file that was about to be synced has reached the disk by half.
    """
    pid = os.fork()
    if pid == 0:
        seen = 0

        def count(name: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            seen += 1
            if seen == place:
                if name == "fsync" and not _is_folder(arguments[0]):
                    os.truncate(f"/proc/self/fd/{arguments[0]}", os.fstat(arguments[0]).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            with watched(count):
                work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


@contextmanager
def failing(operation: str, number: int, code: int = errno.EIO) -> Iterator[None]:
    """Let the `number`-th call of an operation, from 1, fail with an errno; those before and after work."""
    seen = 0

    def fail(name: str, _: tuple[Any, ...]) -> None:
        nonlocal seen
        seen += name == operation
        if name == operation and seen == number:
            raise OSError(code, os.strerror(code))

    with watched(fail):
        yield


def _is_folder(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").is_dir()


Image = dict[str, bytes]
"""Files of a folder by relative path."""


class LostPower:
    """Records what a disk would hold if power went after each operation.

    Two kinds of file system are stood in for. A strict one keeps of a file and of a folder what was synced, nothing else. A
    journaling one keeps all names, in order, but has only zeros in a file that was not synced.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._content: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: dict[int, int] = {}
        self.images: list[Image] = []
        for path in (root, *root.rglob("*")):  # what is there at first is on the disk
            self._sync(self._inode(path))

    def record(self, work: Callable[[], object]) -> list[Image]:
        """Do `work` and return the different images that a loss of power in the midst of it may leave."""
        try:
            with watched(lambda *_: self._hold_all(), self._after):
                work()
        finally:
            for descriptor in self._held.values():
                os.close(descriptor)
        different = {tuple(sorted(image.items())): image for image in self.images}
        return list(different.values())

    def _after(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "fsync":
            inode = os.fstat(arguments[0]).st_ino
            if inode in self._held:
                self._sync(inode)
        self._hold_all()
        self.images.append(self._strict(self._inode(self._root), ""))
        self.images.append(self._journaling())

    def _hold_all(self) -> None:
        """Open whatever there is: an inode that is held open is not given to another file."""
        for path in (self._root, *self._root.rglob("*")):
            self._inode(path)

    def _inode(self, path: Path) -> int:
        inode = path.stat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)
        return inode

    def _sync(self, inode: int) -> None:
        path = Path(f"/proc/self/fd/{self._held[inode]}").readlink()
        if path.is_dir():
            self._names[inode] = {each.name: self._inode(each) for each in path.iterdir()}
        else:
            self._content[inode] = path.read_bytes()

    def _strict(self, folder: int, prefix: str) -> Image:
        image: Image = {}
        for name, inode in self._names.get(folder, {}).items():
            if _is_folder(self._held[inode]):
                image |= self._strict(inode, f"{prefix}{name}/")
            else:
                image[prefix + name] = self._content.get(inode, b"")
        return image

    def _journaling(self) -> Image:
        return {
            str(path.relative_to(self._root)): self._content.get(self._inode(path), b"\0" * path.stat().st_size)
            for path in self._root.rglob("*")
            if path.is_file()
        }


def restore(image: Image, folder: Path) -> Path:
    """Write an image into a new folder and return it."""
    folder.mkdir()
    for name, data in image.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
