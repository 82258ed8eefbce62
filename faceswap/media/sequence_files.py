"""The files of a sequence of pictures: one a frame, named by the frame's number, and `frames.json` with their times.

They are written into folders of their own, put together from several of them, and published. What is in the table, and
what in the pictures: docs/formats/deliverables.md.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import FaceswapError
from faceswap.files import disk_errors_named, sha256_file, sync_file, sync_folder, write_atomic, write_synced
from faceswap.media.picture_files import open_exr_package, png_bytes, tiff_bytes, write_exr
from faceswap.media.picture_texts import PictureTexts
from faceswap.media.probe import ClipInfo
from faceswap.media.rgb import rgb_codes, rgb_values, upright
from faceswap.media.sequence import SequenceTarget
from faceswap.types import Frame

_FORMAT = "faceswap frames 1"


class SequenceWriter:
    """Writes pictures into a folder that is there; `close` makes them whole, `abort` takes them away."""

    def __init__(self, folder: Path, target: SequenceTarget, info: ClipInfo, texts: PictureTexts) -> None:
        self._folder, self._target, self._info, self._texts = folder, target, info, texts
        self._rows: list[dict[str, Any]] = []
        self._files: list[Path] = []
        if target.kind == "exr":
            open_exr_package()

    def write(self, frame: Frame, channels: Mapping[str, NDArray[np.float32]] | None = None) -> None:
        """Write one frame.

        Args:
            channels: further (h, w) float32 channels for EXR, as stored (not turned upright).

        Raises:
            ResourceError: disk full.
        """
        name = self._target.name_of(frame.index)
        path = self._folder / name
        self._files.append(path)
        with disk_errors_named(path):
            self._write_picture(path, frame, channels or {})
        self._rows.append({"frame": frame.index, "file": name, "pts": frame.time.pts, "duration": frame.duration})

    def _write_picture(self, path: Path, frame: Frame, channels: Mapping[str, NDArray[np.float32]]) -> None:
        turn, tags = self._info.upright_from_stored, self._info.tags
        values = upright(rgb_values(frame, is_interlaced=self._info.field_order is not None), turn)
        if self._target.kind == "png":
            path.write_bytes(png_bytes(rgb_codes(values, 8 if frame.color.bit_depth == 8 else 16), self._texts, tags))
        elif self._target.kind == "tiff":
            path.write_bytes(tiff_bytes(rgb_codes(values, 16), self._texts))
        else:
            planes = dict(zip("RGB", values, strict=True))
            planes |= {name: upright(plane, turn) for name, plane in channels.items()}
            curve = {"transferCurve": f"the clip's own, H.273 number {tags.transfer}; values are not linear"}
            write_exr(path, planes, self._texts, tags, pixel_aspect=_aspect(self._info), attributes=curve)

    def close(self) -> None:
        """Flush everything to disk and write the table of frames."""
        with disk_errors_named(self._folder):
            for path in self._files:
                sync_file(path)
            table = _table(self._target, self._info, self._texts, self._rows)
            write_synced(self._folder / self._target.table_name, table)
            sync_folder(self._folder)

    def abort(self) -> None:
        """Delete what was written."""
        for path in [*self._files, self._folder / self._target.table_name]:
            with suppress(FileNotFoundError):
                path.unlink()


def _aspect(info: ClipInfo) -> float:
    """Return the pixel aspect of the upright picture."""
    if not info.pixel_aspect:
        return 1.0
    turn = info.upright_from_stored
    is_sideways = turn is not None and turn[0, 0] == 0
    return float(1 / info.pixel_aspect if is_sideways else info.pixel_aspect)


def _table(target: SequenceTarget, info: ClipInfo, texts: PictureTexts, rows: Sequence[Mapping[str, Any]]) -> bytes:
    turn = info.upright_from_stored
    size = info.size[::-1] if turn is not None and turn[0, 0] == 0 else info.size
    values = {
        "format": _FORMAT,
        "kind": target.kind,
        "time_base": str(info.time_base),
        "rate": str(info.rate),
        "size": list(size),
        "pixel_aspect": _aspect(info),
        "color": {
            "primaries": info.tags.primaries,
            "transfer": info.tags.transfer,
            "source_matrix": info.color.matrix,
            "source_bit_depth": info.color.bit_depth,
        },
        "mark": json.loads(texts.statement),
    }
    return _table_bytes(values, rows)


def _table_bytes(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a table of frames as it stands on the disk."""
    table = {**facts, "frames": sorted(rows, key=lambda row: row["frame"])}
    return (json.dumps(table, indent=1, sort_keys=True) + "\n").encode()


def assemble(parts: Sequence[Path], target: SequenceTarget) -> None:
    """Put the pictures of several finished part folders into the target's folder, as one sequence with one table.

    The parts stay whole. The table comes last: while it is missing, the sequence is not whole.

    Raises:
        FaceswapError: a part lacks its table, or parts are not of the same clip and settings.
    """
    target.folder.mkdir(exist_ok=True)
    tables = [_read_table(part / target.table_name) for part in parts]
    facts = [{**table, "frames": None} for table in tables]
    if any(fact != facts[0] for fact in facts):
        raise FaceswapError(f"the parts of {target.folder} are not of one conversion; delete them and start anew")
    rows = [row for table in tables for row in table["frames"]]
    with disk_errors_named(target.folder):
        for part, table in zip(parts, tables, strict=True):
            for row in table["frames"]:
                _place(part / row["file"], target.folder / row["file"])
        write_atomic(target.folder / target.table_name, _table_bytes(tables[0], rows))


def add_hashes(table: Path) -> None:
    """Note the SHA-256 of each picture in its row of a whole sequence's table.

    Raises:
        FaceswapError: there is no table, or of another version.
    """
    values = _read_table(table)
    rows = [{**row, "sha256": sha256_file(table.parent / row["file"])} for row in values["frames"]]
    with disk_errors_named(table):
        write_atomic(table, _table_bytes(values, rows))


def changed_pictures(table: Path) -> tuple[set[str], set[str]]:
    """Return the pictures that are missing or not those whose hashes a table holds, and all that it has hashes of.

    Raises:
        FaceswapError: there is no table, or of another version.
    """
    rows = [row for row in _read_table(table).get("frames", []) if isinstance(row, dict) and "sha256" in row]
    hashes = {Path(str(row.get("file"))).name: row["sha256"] for row in rows}
    places = {name: table.parent / name for name in hashes}
    changed = {n for n, path in places.items() if not path.is_file() or sha256_file(path) != hashes[n]}
    return changed, set(hashes)


def _place(source: Path, destination: Path) -> None:
    """Make a file appear under a second name; a copy where the disk has no hard links."""
    destination.unlink(missing_ok=True)
    try:
        os.link(source, destination)
    except OSError:
        shutil.copyfile(source, destination)
        sync_file(destination)


def publish_pictures(folder: Path, target: SequenceTarget) -> None:
    """Give a whole sequence its place; pictures of an earlier one with the same names go.

    A new folder appears at once. In a folder that is there the table goes first and comes last: while it is missing, the
    sequence is not whole. The folder is synced in between, so that a power cut leaves no table beside other pictures.
    """
    with disk_errors_named(target.folder):
        if not target.folder.exists():
            os.replace(folder, target.folder)
            sync_folder(target.folder.parent)
            return
        names = sorted(path.name for path in folder.iterdir() if path.name != target.table_name)
        for old in [target.table_name, target.sidecar_name, *_names_in_table(target)]:
            if old not in names:
                (target.folder / old).unlink(missing_ok=True)
        sync_folder(target.folder)
        for name in names:
            os.replace(folder / name, target.folder / name)
        sync_folder(target.folder)
        os.replace(folder / target.table_name, target.folder / target.table_name)
        sync_folder(target.folder)


def _names_in_table(target: SequenceTarget) -> list[str]:
    """Return the pictures of the sequence that lies there; other people's pictures are not in its table."""
    try:
        return [str(row["file"]) for row in read_rows(target) if Path(row["file"]).name == row["file"]]
    except FaceswapError:
        return []


def read_rows(target: SequenceTarget) -> list[dict[str, Any]]:
    """Return the rows of a sequence's table of frames: frame, file, pts, duration.

    Raises:
        FaceswapError: there is none, or of another version.
    """
    rows = _read_table(target.folder / target.table_name)["frames"]
    return list(rows)


def _read_table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FaceswapError(f"{path} cannot be read ({error}); start the conversion anew") from error
    if not isinstance(table, dict) or table.get("format") != _FORMAT:
        raise FaceswapError(f"{path} is no table of frames of this version; start the conversion anew")
    return table
