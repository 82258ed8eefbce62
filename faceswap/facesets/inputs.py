"""What a user may name as material: clips, pictures, folders of either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.media.pictures import PictureFolder


def expanded(clips: Sequence[Path | str], every: int) -> list[Path]:
    """Replace folders by the clips and pictures in them; each picture counts on its own."""
    result: list[Path] = []
    for clip in map(Path, clips):
        if not clip.is_dir():
            result.append(clip)
            continue
        inside = sorted(path for path in clip.iterdir() if path.is_file() and not path.name.startswith("."))
        found = [path for path in inside if path.suffix.lower() in _VIDEO_SUFFIXES]
        found += [path for path in inside if PictureFolder.is_picture(path)][::every]
        if not found:
            raise UsageError(f"{clip} holds neither clips nor pictures")
        result += found
    if not result:
        raise UsageError("no clip given")
    return result


_VIDEO_SUFFIXES = {
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
    ".mpeg",
    ".mxf",
    ".wmv",
    ".flv",
}
