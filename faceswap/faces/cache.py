"""Where a clip's face index is kept, and when a kept one may be used again."""

from __future__ import annotations

from pathlib import Path

from faceswap.errors import UnsupportedInputError
from faceswap.faces.index import FaceIndex
from faceswap.files import short_name

INDEX_FOLDER = ".faceswap"


def index_path(source: Path, output: Path, fingerprint: str, video_stream: int) -> Path:
    """Return the place of the index of a video stream of `source`: in a folder beside the clip that is made of it."""
    of_stream = f"-v{video_stream}" if video_stream else ""
    return output.parent / INDEX_FOLDER / f"{short_name(source.stem)}-{fingerprint[:12]}{of_stream}.faces.db"


def load_index(path: Path, fingerprint: str, detector: str, min_face_px: int) -> FaceIndex | None:
    """Return the stored index when it is whole, of this clip and these settings.

    Args:
        detector: how faces are found (`method.method_name`).
    """
    if not path.is_file():
        return None
    try:
        index = FaceIndex.load(path)
    except UnsupportedInputError:
        return None  # of another version, or damaged: the clip is analysed anew
    fits = index.fingerprint == fingerprint and index.detector == detector and index.min_face_px == min_face_px
    return index if fits and index.every == 1 else None
