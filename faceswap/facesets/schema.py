"""What a faceset's database holds. Field by field: docs/formats/faceset.md."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from faceswap.types import Matrix

SCHEMA_VERSION = 1

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clips (
    fingerprint TEXT PRIMARY KEY, path TEXT NOT NULL, every INTEGER NOT NULL, num_frames INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE faces (
    file TEXT PRIMARY KEY, clip TEXT NOT NULL REFERENCES clips (fingerprint), frame INTEGER NOT NULL,
    pts INTEGER NOT NULL, time_base TEXT NOT NULL, shot INTEGER NOT NULL, track INTEGER NOT NULL,
    score REAL NOT NULL, box TEXT NOT NULL, landmarks TEXT NOT NULL, patch_from_frame TEXT NOT NULL,
    sharpness REAL NOT NULL, brightness REAL NOT NULL, keep INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, eq=False)
class FaceRecord:
    """One crop."""

    file: str
    """Path under the faceset, e.g. "faces/3f2a91bc-000012-0.jpg"."""
    clip: str
    """Fingerprint of the clip."""
    frame: int
    pts: int
    time_base: str
    """Seconds per tick as "1/90000"."""
    shot: int
    track: int
    score: float
    box: NDArray
    """(4,) xyxy px of the frame."""
    landmarks: NDArray
    """(N, 2) px of the crop."""
    patch_from_frame: Matrix
    sharpness: float
    """Variance of the Laplacian of the crop's grey values."""
    brightness: float
    """Mean grey value, 0 to 255."""
    keep: bool = True
    """False = sorted out; training ignores it."""
