"""Does a file, or every picture of a folder, carry our marks? Read offline, from the files alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.marks import read_user_data
from faceswap.media.picture_texts import SUFFIXES
from faceswap.media.remux import source_metadata
from faceswap.provenance.mark import SEI_UUID, Mark, mark_in_metadata
from faceswap.provenance.picture_mark import marks_in_picture


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found in a file."""

    path: Path
    container: Mark | None
    """From the container's tags (of a picture: from our own text in it); gone after `-map_metadata -1`."""
    sei: Mark | None
    """From the H.264/H.265 stream; gone after re-encoding."""
    xmp: Mark | None = None
    """From the XMP packet of a picture."""

    @property
    def layers(self) -> dict[str, Mark | None]:
        """What was looked for in a file of this kind, by name."""
        if is_marked_picture_kind(self.path):
            return {"picture": self.container, "xmp": self.xmp}
        return {"container": self.container, "sei": self.sei}

    @property
    def is_marked(self) -> bool:
        return any(self.layers.values())

    @property
    def agrees(self) -> bool:
        """False when there are several and they say different things: one was copied from another file."""
        return len({mark for mark in self.layers.values() if mark}) <= 1


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What was found in a folder of pictures."""

    path: Path
    num_pictures: int
    unmarked: tuple[Path, ...]
    """Pictures without a mark, or damaged."""
    marks: frozenset[Mark]
    """All different marks; one conversion leaves one."""

    @property
    def is_marked(self) -> bool:
        """True when every picture is."""
        return self.num_pictures > 0 and not self.unmarked

    @property
    def agrees(self) -> bool:
        return len(self.marks) <= 1


def is_marked_picture_kind(path: Path) -> bool:
    """True for names of pictures in which marks can be."""
    return path.suffix.lower() in SUFFIXES


def verify_folder(path: Path | str) -> FolderReport:
    """Return the marks of the PNG, TIFF and EXR pictures in a folder.

    Raises:
        UsageError: no such folder, or no such pictures in it.
    """
    path = Path(path)
    pictures = sorted(p for p in path.iterdir() if is_marked_picture_kind(p) and p.is_file()) if path.is_dir() else []
    if not pictures:
        raise UsageError(f"{path} holds no pictures of a kind that can be marked ({', '.join(SUFFIXES)})")
    unmarked, marks = [], set()
    for picture in pictures:
        try:
            found = {mark for mark in marks_in_picture(picture) if mark}
        except UnsupportedInputError:
            found = set()
        marks |= found
        if not found:
            unmarked.append(picture)
    return FolderReport(path, len(pictures), tuple(unmarked), frozenset(marks))


def verify_clip(path: Path | str) -> VerifyReport:
    """Return the marks of a clip, or of one PNG, TIFF or EXR picture.

    Raises:
        UsageError: no such file. UnsupportedInputError: not a media file.
    """
    path = Path(path)
    if is_marked_picture_kind(path):
        if not path.is_file():
            raise UsageError(f"{path} does not exist; give the path of a file")
        own, xmp = marks_in_picture(path)
        return VerifyReport(path, own, None, xmp)
    payload = read_user_data(path, SEI_UUID)
    sei = Mark.from_json(payload.decode("utf-8", errors="replace")) if payload is not None else None
    return VerifyReport(path, mark_in_metadata(source_metadata(path)), sei)
