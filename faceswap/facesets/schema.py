"""What a faceset's database holds. Field by field: docs/formats/faceset.md."""

from __future__ import annotations

from dataclasses import dataclass, fields

from numpy.typing import NDArray

from faceswap.types import FIVE, Matrix

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one crop (`figures.measure`); comparable between facesets of any crop size."""

    yaw: float
    """Degrees, positive: looks to the right of the picture (`faces.pose`)."""
    pitch: float
    """Degrees, positive: looks down."""
    roll: float
    """Degrees in the frame, positive: leans to the right of the picture."""
    face_px: float
    """Height of the face from the hairline to the chin in the frame, px."""
    sharpness: float
    """Detail relative to coarse structure at one scale for all; below 0.25 soft, 0.4 and more sharp."""
    brightness: float
    """Mean grey value of the face, 0 to 255."""
    contrast: float
    """Standard deviation of the face's grey values."""
    balance: float
    """Light on the right half of the picture against the left, -1 to 1."""
    hue: float
    """Direction of the face's mean colour in Lab, degrees."""
    chroma: float
    """Its distance from grey in Lab."""
    occlusion: float
    """Share of the face that does not look like its skin, 0 to 1."""
    hash: str
    """Perceptual hash, 64 bit as 16 hexadecimal digits."""
    look: bytes
    """Appearance descriptor (`figures.look_of`), 384 bytes."""


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
    scheme: str = FIVE
    """Of the landmarks, a key of `schemes.SCHEMES`."""
    era: str = ""
    """The user's label of the material: a season, a year, a camera."""
    dropped: str = ""
    """Why it was sorted out; empty = kept. Training ignores dropped crops."""
    cluster: int | None = None
    """Number of the person, from 0 (the most frequent); None = not grouped yet."""
    figures: Figures | None = None
    """None = not measured yet."""


RECORD_COLUMNS = tuple(field.name for field in fields(FaceRecord) if field.name != "figures")
FIGURE_COLUMNS = tuple(field.name for field in fields(Figures))

_FIGURE_TYPES = {"hash": "TEXT", "look": "BLOB"}
FACES_TABLE = (
    "CREATE TABLE faces ("
    "file TEXT PRIMARY KEY, clip TEXT NOT NULL REFERENCES clips (fingerprint), frame INTEGER NOT NULL, "
    "pts INTEGER NOT NULL, time_base TEXT NOT NULL, shot INTEGER NOT NULL, track INTEGER NOT NULL, "
    "score REAL NOT NULL, box TEXT NOT NULL, landmarks TEXT NOT NULL, patch_from_frame TEXT NOT NULL, "
    "scheme TEXT NOT NULL, era TEXT NOT NULL, dropped TEXT NOT NULL, cluster INTEGER, "
    + ", ".join(f"{name} {_FIGURE_TYPES.get(name, 'REAL')}" for name in FIGURE_COLUMNS)
    + ", embedding BLOB) WITHOUT ROWID"
)
ACTION_TABLES = (
    "CREATE TABLE actions (id INTEGER PRIMARY KEY, time TEXT NOT NULL, what TEXT NOT NULL, is_undone INTEGER NOT NULL)",
    "CREATE TABLE changes (action INTEGER NOT NULL REFERENCES actions (id), file TEXT NOT NULL, "
    "before TEXT NOT NULL, after TEXT NOT NULL, PRIMARY KEY (action, file)) WITHOUT ROWID",
)
TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE clips (fingerprint TEXT PRIMARY KEY, path TEXT NOT NULL, every INTEGER NOT NULL, "
    "num_frames INTEGER NOT NULL) WITHOUT ROWID",
    FACES_TABLE,
    *ACTION_TABLES,
)
