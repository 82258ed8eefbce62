"""What FFmpeg hands over beside the samples of a decoded frame, by name."""

from __future__ import annotations

from typing import Any


def side_data_of(frame: Any) -> dict[str, Any]:
    """Return the side data of a decoded `av` frame; `bytes()` of a value gives FFmpeg's C struct.

    Returns:
        Name of the kind, e.g. "DISPLAYMATRIX" -> data; the first where a frame has several of one kind, as in FFmpeg. Empty where
        one is of a kind that `av` does not know.
    """
    found: dict[str, Any] = {}
    try:
        frame.side_data  # noqa: B018 (the access is what fails)
    except ValueError:
        return found  # of a kind that `av` has no name for, as EXIF data of a JPEG: it gives none at all then
    for data in frame.side_data.keys():  # noqa: SIM118
        found.setdefault(getattr(data.type, "name", str(data.type)), data)
    return found
