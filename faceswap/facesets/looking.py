"""Folders of numbered crops to look at in any picture viewer, and what was deleted there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, write_atomic

_LIST = ".faceset-view.json"
"""Which crop each picture of the folder is; written first, so that a half-made folder is known as one."""


def write_view(
    faceset: FaceSet, records: Sequence[tuple[str, FaceRecord]], folder: Path, *, is_copy: bool = False
) -> Path:
    """Put crops into a new folder under names that sort in the given order.

    Hard links where the disk allows it, else copies: crops take no second room, and deleting them there deletes nothing
    here. A viewer that changes pictures in place needs `is_copy`.

    Args:
        records: (what to show in the name, crop) in order.

    Raises:
        UsageError: the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already; name a new folder, or delete it first")
    digits = max(4, len(str(len(records))))
    names = {
        f"{number:0{digits}d}_{_safe(text)}_{Path(record.file).name}": record.file
        for number, (text, record) in enumerate(records, start=1)
    }
    with disk_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        content = {"faceset": str(faceset.path.resolve()), "crops": names}
        write_atomic(folder / _LIST, json.dumps(content).encode())
        for name, file in names.items():
            link_or_copy(faceset.path / file, folder / name, is_copy)
    return folder


def missing_from_view(faceset: FaceSet, folder: Path) -> list[str]:
    """Return the files whose pictures were deleted from (or moved out of) a folder made by `write_view`.

    Raises:
        UsageError: the folder was not made from this faceset. UnsupportedInputError: its list is damaged.
    """
    try:
        content = json.loads((folder / _LIST).read_bytes())
        names, origin = dict(content["crops"]), Path(content["faceset"])
    except FileNotFoundError as error:
        raise UsageError(f"{folder} was not made by `faceset sort -o`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedInputError(f"{folder / _LIST} is damaged ({error}); make the folder again") from error
    if origin != faceset.path.resolve():
        raise UsageError(f"{folder} shows crops of {origin}, not of {faceset.path.resolve()}")
    return sorted(file for name, file in names.items() if not (folder / name).exists())


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() or c in "+-." else "-" for c in text)[:24]


def link_or_copy(src: Path, dst: Path, is_copy: bool) -> None:
    if not src.is_file():
        raise UnsupportedInputError(f"{src} is missing; `faceset measure` lists all such crops")
    if not is_copy:
        try:
            os.link(src, dst)
            return
        except OSError:  # another disk, or a file system without links
            pass
    shutil.copyfile(src, dst)
