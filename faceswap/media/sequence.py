"""A clip as a folder of pictures: one file a frame, named by the frame's number, and `frames.json` with their times.

docs/formats/sequences.md says what is in them, field by field.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import FaceswapError, UsageError
from faceswap.files import disk_errors_named, sync_file, sync_folder, write_atomic, write_synced
from faceswap.media.containers import MUXERS
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.layouts import layout_of
from faceswap.media.picture_files import open_exr_package, png_bytes, tiff_bytes, write_exr
from faceswap.media.picture_texts import SUFFIXES, PictureTexts
from faceswap.media.probe import ClipInfo
from faceswap.media.rgb import rgb_codes, rgb_values, upright
from faceswap.types import ColorInfo, Frame

FORMAT = "faceswap frames 1"
KINDS = {"png": ".png", "tiff": ".tif", "exr": ".exr"}
"""`--codec` name -> suffix."""
PICTURES = "pictures"
_RGB, _FULL_RANGE = 0, 2
_NUMBER = re.compile(r"%(0\d+)?d")


@dataclass(frozen=True, slots=True)
class SequenceTarget:
    """Where the pictures of a clip go."""

    folder: Path
    pattern: str
    """File name with one printf number, e.g. "shot_%06d.png"."""
    kind: str
    """ "png", "tiff" or "exr"."""

    @property
    def table_name(self) -> str:
        """Name of the JSON file beside the pictures."""
        stem = _NUMBER.sub("", Path(self.pattern).stem).strip("_-. ")
        return f"{stem}_frames.json" if stem else "frames.json"

    def taken_names(self) -> list[str]:
        """Return the names in the folder that this sequence would replace."""
        number = _NUMBER.search(self.pattern)
        assert number is not None
        before, after = map(re.escape, (self.pattern[: number.start()], self.pattern[number.end() :]))
        ours = re.compile(f"{before}[0-9]+{after}")
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if ours.fullmatch(p.name) or p.name == self.table_name)

    def name_of(self, frame: int) -> str:
        """Return the file name of a frame."""
        return self.pattern % frame


def sequence_target(output: Path, codec: str) -> SequenceTarget | None:
    """Return where pictures go, or None when the output is a clip.

    Args:
        output: a folder (with codec "png", "tiff" or "exr") or a pattern such as `name_%06d.png` (with any codec).

    Raises:
        UsageError: a picture file without a number, or a folder that is named like a clip.
    """
    kind = SUFFIXES.get(output.suffix.lower())
    if kind is not None:
        if len(_NUMBER.findall(output.name)) != 1 or output.name.count("%") != 1:
            raise UsageError(
                f"{output.name!r} names one picture; a clip needs a number, as in {output.stem}_%06d{output.suffix}"
            )
        if codec in KINDS and codec != kind:
            raise UsageError(f"{output.name!r} is no {codec.upper()} file; use {KINDS[codec]} or leave --codec out")
        return SequenceTarget(output.parent, output.name, kind)
    if codec not in KINDS:
        return None
    if output.suffix.lower() in MUXERS:
        raise UsageError(
            f"--codec {codec} writes pictures; give -o a folder or a name like {output.stem}_%06d{KINDS[codec]}"
        )
    return SequenceTarget(output, f"%06d{KINDS[codec]}", codec)


def sequence_stem(output: Path) -> str:
    """Return the name that other files of the same conversion are built on; of a clip, its own stem."""
    return _NUMBER.sub("", output.stem).strip("_-. ") or output.parent.name or "clip"


def plan_pictures(info: ClipInfo, target: SequenceTarget) -> EncodePlan:
    """Return what is written into pictures, in the form of an encoder's plan; its muxer is `PICTURES`."""
    bits = 8 if target.kind == "png" and info.color.bit_depth == 8 else 16
    layout, _ = layout_of("gbrp" if bits == 8 else "gbrp16le")
    losses = ["pictures hold no audio, subtitles or chapters"]
    if "a" in info.layout.name.removeprefix("gbr").removeprefix("yuv"):
        losses.append("alpha is dropped")
    if info.light:
        losses.append("pictures have no place for the HDR10 mastering display and light levels")
    color = ColorInfo("rgb", full_range=True, bit_depth=bits)
    tags = replace(info.tags, matrix=_RGB, range=_FULL_RANGE)
    return EncodePlan(target.kind, layout, color, tags, PICTURES, {}, tuple(losses))


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
        "format": FORMAT,
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
        "frames": sorted(rows, key=lambda row: row["frame"]),
    }
    return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()


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
        merged = {**tables[0], "frames": sorted(rows, key=lambda row: row["frame"])}
        write_atomic(target.folder / target.table_name, (json.dumps(merged, indent=1, sort_keys=True) + "\n").encode())


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
    sequence is not whole.
    """
    with disk_errors_named(target.folder):
        if not target.folder.exists():
            os.replace(folder, target.folder)
            sync_folder(target.folder.parent)
            return
        names = sorted(path.name for path in folder.iterdir() if path.name != target.table_name)
        for old in [target.table_name, *target.taken_names()]:
            if old not in names:
                (target.folder / old).unlink(missing_ok=True)
        for name in [*names, target.table_name]:
            os.replace(folder / name, target.folder / name)
        sync_folder(target.folder)


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
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise FaceswapError(f"{path} is no table of frames of this version; start the conversion anew")
    return table
