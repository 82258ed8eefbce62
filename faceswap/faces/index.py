"""The face index: every face of one clip, in one SQLite file. Field by field: docs/formats/face-index.md."""

from __future__ import annotations

import json
import os
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np

from faceswap.errors import UnsupportedInputError
from faceswap.files import disk_errors_named, sync_file, sync_folder, temporary_beside
from faceswap.types import Face, FrameTable, Shot, Transition

SCHEMA_VERSION = 3

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE shots (start INTEGER PRIMARY KEY, stop INTEGER NOT NULL, transition TEXT NOT NULL);
CREATE TABLE frames (
    frame INTEGER PRIMARY KEY, pts INTEGER NOT NULL, duration INTEGER NOT NULL, digest INTEGER NOT NULL
);
CREATE TABLE faces (
    frame INTEGER NOT NULL, track INTEGER NOT NULL, score REAL NOT NULL, is_interpolated INTEGER NOT NULL,
    scheme TEXT NOT NULL, box TEXT NOT NULL, landmarks TEXT NOT NULL, frame_from_canonical TEXT NOT NULL,
    PRIMARY KEY (frame, track)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, eq=False)
class FaceIndex:
    """Every face of one clip."""

    fingerprint: str
    """Of the clip (`files.fingerprint`)."""
    detector: str
    """How faces were found and placed: `method.method_name`."""
    frames: FrameTable
    every: int
    """Every n-th frame was analysed."""
    min_face_px: int
    shortfalls: tuple[str, ...]
    """What the clip should hold and does not, in words; empty = it is whole."""
    remarks: tuple[str, ...]
    """What else was odd about it."""
    shots: tuple[Shot, ...]
    faces: tuple[Face, ...]
    people: Mapping[int, str] = field(default_factory=dict)
    """Names given by hand to tracks (`edits`); not stored in the index itself."""
    _by_frame: dict[int, list[Face]] = field(init=False, repr=False)
    _shot_starts: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_frame: dict[int, list[Face]] = defaultdict(list)
        for face in self.faces:
            by_frame[face.frame].append(face)
        object.__setattr__(self, "_by_frame", dict(by_frame))
        object.__setattr__(self, "_shot_starts", [shot.start for shot in self.shots])

    @property
    def num_frames(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"FaceIndex({self.num_frames} frames, {len(self.shots)} shots, {len(self.faces)} faces)"

    def faces_at(self, frame: int) -> Sequence[Face]:
        """Return the faces of a frame; empty where there are none."""
        return self._by_frame.get(frame, ())

    def shot_of(self, frame: int) -> int:
        """Return the number of the shot that holds a frame."""
        return bisect_right(self._shot_starts, frame) - 1

    def save(self, path: Path) -> None:
        """Write the index; `path` holds the old index or the whole new one, never a part."""
        temporary = temporary_beside(path)
        try:
            with disk_errors_named(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with closing(sqlite3.connect(temporary)) as database, database:
                    self._fill(database)
                sync_file(temporary)
                os.replace(temporary, path)
                sync_folder(path.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()

    def _fill(self, database: sqlite3.Connection) -> None:
        database.executescript(_TABLES)
        meta = {
            "schema_version": SCHEMA_VERSION,
            "fingerprint": self.fingerprint,
            "detector": self.detector,
            "time_base": self.frames.time_base,
            "every": self.every,
            "min_face_px": self.min_face_px,
            "shortfalls": json.dumps(self.shortfalls),
            "remarks": json.dumps(self.remarks),
        }
        database.executemany("INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in meta.items()])
        database.executemany(
            "INSERT INTO shots VALUES (?, ?, ?)", [(s.start, s.stop, s.transition) for s in self.shots]
        )
        columns = (self.frames.pts, self.frames.duration, self.frames.digest)
        rows = zip(range(self.num_frames), *(column.tolist() for column in columns), strict=True)
        database.executemany("INSERT INTO frames VALUES (?, ?, ?, ?)", rows)
        database.executemany("INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, self.faces))

    @classmethod
    def load(cls, path: Path) -> FaceIndex:
        """Read an index.

        Raises:
            UnsupportedInputError: not a face index, damaged, or of another schema version.
        """
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
                meta = dict(database.execute("SELECT key, value FROM meta"))
                if int(meta["schema_version"]) != SCHEMA_VERSION:
                    raise UnsupportedInputError(
                        f"{path} has schema {meta['schema_version']}, this version reads {SCHEMA_VERSION}; "
                        "delete it to analyse anew"
                    )
                return cls(
                    fingerprint=meta["fingerprint"],
                    detector=meta["detector"],
                    frames=_frame_table(Fraction(meta["time_base"]), database),
                    every=int(meta["every"]),
                    min_face_px=int(meta["min_face_px"]),
                    shortfalls=tuple(json.loads(meta["shortfalls"])),
                    remarks=tuple(json.loads(meta["remarks"])),
                    shots=tuple(
                        map(_shot, database.execute("SELECT start, stop, transition FROM shots ORDER BY start"))
                    ),
                    faces=tuple(map(_face, database.execute("SELECT * FROM faces ORDER BY frame, track"))),
                )
        except (sqlite3.Error, KeyError, ValueError, TypeError, IndexError) as error:
            raise UnsupportedInputError(
                f"{path} is not a readable face index ({error}); delete it to analyse anew"
            ) from error


def _frame_table(time_base: Fraction, database: sqlite3.Connection) -> FrameTable:
    rows = database.execute("SELECT pts, duration, digest FROM frames ORDER BY frame").fetchall()
    pts, duration, digest = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return FrameTable(time_base, pts.copy(), duration.copy(), digest.astype(np.uint32))


def _shot(row: tuple) -> Shot:
    start, stop, transition = row
    if transition not in get_args(Transition):
        raise ValueError(f"a shot begins by {transition!r}")
    return Shot(start, stop, transition)


def _row(face: Face) -> tuple[object, ...]:
    assert face.frame_from_canonical is not None, "only aligned faces are indexed"
    arrays = (face.box, face.landmarks, face.frame_from_canonical)
    texts = [json.dumps(np.round(array, 6).tolist()) for array in arrays]
    return face.frame, face.track, face.score, int(face.is_interpolated), face.scheme, *texts


def _face(row: tuple) -> Face:
    frame, track, score, is_interpolated, scheme, box, landmarks, matrix = row
    return Face(
        frame=frame,
        box=np.array(json.loads(box), dtype=np.float64),
        score=score,
        landmarks=np.array(json.loads(landmarks), dtype=np.float64),
        scheme=scheme,
        track=track,
        frame_from_canonical=np.array(json.loads(matrix), dtype=np.float64),
        is_interpolated=bool(is_interpolated),
    )
