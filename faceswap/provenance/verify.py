"""Does a file carry our marks? Read offline, from the file alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceswap.media.marks import read_user_data
from faceswap.media.remux import source_metadata
from faceswap.provenance.mark import SEI_UUID, Mark, mark_in_metadata


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found in a file."""

    path: Path
    container: Mark | None
    """From the container's tags; gone after `-map_metadata -1`."""
    sei: Mark | None
    """From the H.264/H.265 stream; gone after re-encoding."""

    @property
    def is_marked(self) -> bool:
        return self.container is not None or self.sei is not None

    @property
    def agrees(self) -> bool:
        """False when both are there and say different things: one of them was copied from another file."""
        return self.container is None or self.sei is None or self.container == self.sei


def verify_clip(path: Path | str) -> VerifyReport:
    """Return the marks of a clip.

    Raises:
        UsageError: no such file. UnsupportedInputError: not a media file.
    """
    path = Path(path)
    payload = read_user_data(path, SEI_UUID)
    sei = Mark.from_json(payload.decode("utf-8", errors="replace")) if payload is not None else None
    return VerifyReport(path, mark_in_metadata(source_metadata(path)), sei)
