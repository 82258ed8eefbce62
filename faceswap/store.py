"""The user's folder of network weights: what `faceswap models` adds to, lists and removes from.

One file of weights beside one JSON file of facts about it; the facts are written last and removed first, so that a name
stands for whole weights or for nothing. Nothing here touches the network but `download`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faceswap.config import Settings, validated
from faceswap.errors import FaceswapError, UnsupportedInputError, UsageError
from faceswap.files import (
    disk_errors_named,
    remove_stale_temporaries,
    require_space,
    sync_folder,
    temporary_beside,
    write_atomic,
)
from faceswap.progress import OnProgress, Progress, ignore_progress

HOME_VARIABLE = "FACESWAP_HOME"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60

Commercial = Literal["yes", "no", "unknown"]


class StoredWeights(Settings):
    """The facts about one file in the store."""

    file: str
    """Its name in the folder."""
    sha256: str
    size: int
    """Bytes."""
    role: str
    """What it is used for: "detector", "landmarker", "encoder" ..."""
    kind: str
    """What reads it, with a version."""
    licence: str = "unknown"
    commercial: Commercial = "unknown"
    """Whether its licence allows commercial use, as far as whoever added it knew."""
    source: str = ""
    """Where it came from."""
    what: str = ""


def data_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's data: $FACESWAP_HOME, or "faceswap" in the XDG data folder."""
    if environment.get(HOME_VARIABLE):
        return Path(environment[HOME_VARIABLE]).expanduser()
    return _xdg_folder(environment.get("XDG_DATA_HOME", ""), Path(".local", "share"))


def cache_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of what can be measured or made again: $FACESWAP_HOME/cache, or "faceswap" in the XDG cache folder."""
    if environment.get(HOME_VARIABLE):
        return Path(environment[HOME_VARIABLE]).expanduser() / "cache"
    return _xdg_folder(environment.get("XDG_CACHE_HOME", ""), Path(".cache"))


def _xdg_folder(given: str, usual: Path) -> Path:
    base = Path(given) if os.path.isabs(given) else Path.home() / usual  # noqa: PTH117 (XDG: else ignored)
    return base / "faceswap"


@dataclass(frozen=True, slots=True)
class WeightsStore:
    """The folder of weights; made when something is added."""

    folder: Path

    @classmethod
    def of_user(cls) -> WeightsStore:
        """Return the store in the user's data folder."""
        return cls(data_home() / "weights")

    def entries(self) -> dict[str, StoredWeights]:
        """Return what is stored, by name.

        Raises:
            FaceswapError: a file of facts is damaged.
        """
        return {path.stem: self._facts(path) for path in sorted(self.folder.glob("*.json"))}

    def get(self, name: str) -> StoredWeights | None:
        """Return the facts about one name; None when it is not stored."""
        path = self.folder / f"{name}.json"
        return self._facts(path) if _NAME.fullmatch(name) and path.is_file() else None

    def path(self, name: str, entry: StoredWeights) -> Path:
        """Return where an entry's weights are."""
        if Path(entry.file).name != entry.file:
            raise FaceswapError(f"{self.folder / name}.json is damaged: {entry.file!r} is not a file name")
        return self.folder / entry.file

    def read(self, name: str) -> bytes:
        """Return the bytes of stored weights after checking their hash.

        Raises:
            UsageError: unknown name. FaceswapError: the file is gone or has changed.
        """
        entry = self.get(name)
        if entry is None:
            raise UsageError(f"no weights {name!r} in {self.folder}; there are: {', '.join(self.entries()) or 'none'}")
        path = self.path(name, entry)
        remedy = f"remove and add it again: faceswap models remove {name}"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FaceswapError(
                f"the weights {name!r} cannot be read from {path}: {error.strerror}; {remedy}"
            ) from error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise FaceswapError(f"{path} is not the file that was added as {name!r}, or it is damaged; {remedy}")
        return data

    def add(self, name: str, data: bytes, suffix: str, facts: Mapping[str, Any]) -> StoredWeights:
        """Store weights under a new name.

        Args:
            suffix: of the file, with its dot. facts: role, kind and what else is known.

        Raises:
            UsageError: the name is taken or cannot be one. ResourceError: the disk is full.
        """
        check_name(name)
        if self.get(name) is not None:
            raise UsageError(
                f"there are weights named {name!r}; choose another --name, or: faceswap models remove {name}"
            )
        given = {"file": name + suffix, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **facts}
        entry = validated(StoredWeights, given, f"weights {name}")
        self.folder.mkdir(parents=True, exist_ok=True)
        require_space(self.folder, len(data))
        path = self.path(name, entry)
        with disk_errors_named(path):
            remove_stale_temporaries(path)
            write_atomic(path, data)
            write_atomic(self.folder / f"{name}.json", _to_json(entry))
        return entry

    def remove(self, name: str) -> None:
        """Delete weights and their facts.

        Raises:
            UsageError: unknown name.
        """
        facts = self.folder / f"{name}.json"
        try:
            entry = self.get(name)
            path = None if entry is None else self.path(name, entry)
        except FaceswapError:  # damaged facts: they go, so that the name is free again
            path = facts
        if path is None:
            raise UsageError(f"no weights {name!r} in {self.folder}; there are: {', '.join(self.entries()) or 'none'}")
        facts.unlink()
        sync_folder(self.folder)
        path.unlink(missing_ok=True)

    def _facts(self, path: Path) -> StoredWeights:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return validated(StoredWeights, values, str(path))
        except (OSError, ValueError, UsageError) as error:
            raise FaceswapError(
                f"{path} is damaged ({error}); add the weights again after: faceswap models remove {path.stem}"
            ) from error


def check_name(name: str) -> None:
    """Raise UsageError unless `name` can be a name of weights."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a name of weights; use small letters, digits, '.', '_' and '-', 64 at most"
        )


def download(
    url: str,
    sha256: str,
    size: int,
    folder: Path,
    *,
    on_progress: OnProgress = ignore_progress,
    open_url: Callable[..., Any] = urllib.request.urlopen,
) -> bytes:
    """Return the bytes behind a URL if they are the pinned ones; what arrives goes to a file first, not to memory.

    Args:
        size: bytes; more are refused before they are stored. folder: where the temporary file may be.

    Raises:
        FaceswapError: no connection. UnsupportedInputError: other bytes than the pinned ones.
    """
    if not url.startswith("https://"):
        raise UsageError(f"{url} is not an https address; weights are fetched from https only")
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, 2 * size)
    temporary = temporary_beside(folder / "download")
    digest, done = hashlib.sha256(), 0
    try:
        with (
            disk_errors_named(temporary),
            open_url(url, timeout=_TIMEOUT_SECONDS) as answer,
            temporary.open("wb") as file,
        ):
            if not answer.geturl().startswith("https://"):
                raise UnsupportedInputError(f"{url} leads to {answer.geturl()}, which is not https; nothing was kept")
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > size:
                    break
                digest.update(chunk)
                file.write(chunk)
                on_progress(Progress("fetch", done, size, unit="bytes"))
        if done != size or digest.hexdigest() != sha256:
            raise UnsupportedInputError(
                f"{url} gives other bytes than those pinned (sha256 {sha256}, {size} bytes); nothing was kept"
            )
        return temporary.read_bytes()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise FaceswapError(
            f"{url} cannot be fetched: {reason}; get the file in another way and use: faceswap models add FILE"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _to_json(entry: StoredWeights) -> bytes:
    return (json.dumps(entry.model_dump(), indent=1) + "\n").encode()
