"""The work folder of one output: finished segments and the journal that says which they are.

A segment counts when its line is in the journal and its files have the hashes written there. A line is appended and
synced only after the files are. Layout and rules: docs/formats/work-folder.md.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faceswap.convert.segments import Segment
from faceswap.files import disk_errors_named, folder_lock, sha256_file, sync_folder, write_atomic

_JOB, _JOURNAL, _PUBLISHING = "job.json", "journal", "publishing.json"


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A line of the journal."""

    segment: int
    start: int
    stop: int
    """Frames, half-open."""
    first_pts: int
    last_pts: int
    files: Mapping[str, str]
    """File name -> SHA-256."""


class WorkFolder:
    """Files of a conversion that is under way; belongs to one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def segment_file(self, segment: Segment, product: str) -> Path:
        """Return where a product's part of a segment lies when it is finished."""
        return self.path / f"seg-{segment.number:05d}.{product}"

    def take_stock(self, segments: Sequence[Segment], pts: Sequence[int]) -> dict[int, SegmentRecord]:
        """Return the finished segments by number and delete whatever else of segments lies here.

        Lines that are damaged, of other frames or times, or whose files are not whole do not count.

        Args:
            pts: times of the clip's frames.
        """
        plan = {
            segment.number: (segment.start, segment.stop, int(pts[segment.start]), int(pts[segment.stop - 1]))
            for segment in segments
        }
        found = {
            record.segment: record
            for record in self._lines()
            if plan.get(record.segment) == (record.start, record.stop, record.first_pts, record.last_pts)
        }
        whole = {number: record for number, record in found.items() if self._is_whole(record)}
        named = {name.split("/")[0] for record in whole.values() for name in record.files}
        for entry in self.path.glob("seg-*"):
            if entry.name not in named:
                _remove(entry)
        return whole

    def note_publishing(self, outputs: Sequence[Path]) -> None:
        """Note that these outputs are about to get their names: after a kill they are ours to replace."""
        with disk_errors_named(self.path):
            write_atomic(self.path / _PUBLISHING, json.dumps([str(path.absolute()) for path in outputs]).encode())

    @property
    def num_frames(self) -> int:
        """Frames whose segments are in the journal, unchecked."""
        return sum({record.segment: record.stop - record.start for record in self._lines()}.values())

    @property
    def num_bytes(self) -> int:
        """Size of the packets that wait; pictures are given their names without being copied."""
        return sum(path.stat().st_size for path in self.path.iterdir() if path.is_file())

    def _is_whole(self, record: SegmentRecord) -> bool:
        return all(
            (self.path / name).is_file() and sha256_file(self.path / name) == digest
            for name, digest in record.files.items()
        )

    def _lines(self) -> Iterator[SegmentRecord]:
        try:
            lines = (self.path / _JOURNAL).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            checksum, _, text = line.partition(b" ")
            if checksum != b"%08x" % zlib.crc32(text):
                continue  # cut off by a crash
            yield SegmentRecord(**json.loads(text))

    def add(self, record: SegmentRecord) -> None:
        """Append a line, on the disk before this returns."""
        text = json.dumps(asdict(record), sort_keys=True).encode()
        is_new = not (self.path / _JOURNAL).exists()
        with disk_errors_named(self.path), (self.path / _JOURNAL).open("ab") as file:
            # A line that a crash cut off must not swallow this one.
            file.write(b"\n%08x %s\n" % (zlib.crc32(text), text))
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.path)

    def delete(self) -> None:
        """Remove everything: the output is finished, or must not be made."""
        shutil.rmtree(self.path, ignore_errors=True)


def outputs_under_way(path: Path) -> frozenset[Path]:
    """Return the outputs that a conversion in this folder was giving their names when it was killed."""
    try:
        return frozenset(map(Path, json.loads((path / _PUBLISHING).read_bytes())))
    except (OSError, ValueError):
        return frozenset()


def facts_in(path: Path) -> dict[str, Any] | None:
    """Return the facts of the job that a folder belongs to; None = there is none."""
    try:
        facts = json.loads((path / _JOB).read_bytes())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


@contextmanager
def open_work_folder(path: Path, job: Mapping[str, Any]) -> Iterator[WorkFolder]:
    """Hold the work folder of a job; whatever another job left there is deleted first.

    Args:
        job: everything that the finished file depends on, as JSON values.

    Raises:
        UsageError: another process is making the same output.
    """
    text = json.dumps(dict(job), sort_keys=True, indent=1).encode()
    with folder_lock(path, "a conversion to the same output"):
        job_file = path / _JOB
        if not job_file.is_file() or job_file.read_bytes() != text:
            for entry in path.iterdir():
                if entry.name != ".lock":
                    _remove(entry)
            sync_folder(path)
            with disk_errors_named(path):
                write_atomic(job_file, text)
        for stale in path.glob("*.tmp"):
            _remove(stale)
        yield WorkFolder(path)
