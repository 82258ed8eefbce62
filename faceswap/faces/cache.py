"""Where a clip's face index is kept, and when a kept one may be used again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from faceswap.errors import UnsupportedInputError
from faceswap.faces.edited import edited
from faceswap.faces.edits import load_edits
from faceswap.faces.index import FaceIndex
from faceswap.files import sha256_file, short_name

INDEX_FOLDER = ".faceswap"


def index_path(source: Path, output: Path, fingerprint: str, video_stream: int) -> Path:
    """Return the place of the index of a video stream of `source`: in a folder beside the clip that is made of it."""
    of_stream = f"-v{video_stream}" if video_stream else ""
    return output.parent / INDEX_FOLDER / f"{short_name(source.stem)}-{fingerprint[:12]}{of_stream}.faces.db"


def edits_path(index: Path) -> Path:
    """Return the place of the edits by hand that belong to an index."""
    return index.with_name(index.name.removesuffix(".faces.db") + ".edits.json")


def open_index(path: Path) -> FaceIndex:
    """Return a kept index with its edits.

    Raises:
        UnsupportedInputError: the index, or the file of edits, cannot be read.
    """
    return _with_edits(FaceIndex.load(path), path)


def load_index(path: Path, fingerprint: str, detector: str, min_face_px: int) -> FaceIndex | None:
    """Return the stored index with its edits when it is whole, of this clip and these settings.

    Args:
        detector: how faces are found (`method.method_name`).

    Raises:
        UnsupportedInputError: the file of edits cannot be read.
    """
    if not path.is_file():
        return None
    try:
        index = FaceIndex.load(path)
    except UnsupportedInputError:
        return None  # of another version, or damaged: the clip is analysed anew
    fits = index.fingerprint == fingerprint and index.detector == detector and index.min_face_px == min_face_px
    return _with_edits(index, path) if fits and index.every == 1 else None


def index_digest(path: Path) -> str:
    """Return the SHA-256 of everything that `open_index` reads."""
    edits = edits_path(path)
    return sha256_file(path) + (f"+{sha256_file(edits)}" if edits.is_file() else "")


def _with_edits(index: FaceIndex, path: Path) -> FaceIndex:
    edits = load_edits(edits_path(path), index.fingerprint)
    if not edits:
        return index
    index, lost = edited(index, edits)
    remarks = [f"edit {number} of the face index ({edits[number - 1].kind}) meets no face any more" for number in lost]
    return replace(index, remarks=(*index.remarks, *remarks))
