"""What is written on the command line about faces: runs of frames, tracks, points, names."""

from __future__ import annotations

import re

import numpy as np

from faceswap.errors import UsageError

_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")
_NAME = re.compile(r"[^\s,=:/][^,=:/\n]*")
_MAX_RUN = 100_000


def parse_frames(text: str) -> tuple[int, int]:
    """Return the half-open run that "57" or "100-200" (both included) means.

    Raises:
        UsageError: anything else.
    """
    match = _NUMBERS.fullmatch(text.strip())
    if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
        raise UsageError(f"--frames {text!r} is not a run of frames; write 57, or 100-200 (both included)")
    return int(match[1]), int(match[2] or match[1]) + 1


def parse_tracks(text: str, option: str = "--track") -> list[int]:
    """Return the numbers in a list like "3,7-9".

    Args:
        option: its name, for the message.

    Raises:
        UsageError: anything else.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = _NUMBERS.fullmatch(part.strip())
        if match is None or (match[2] is not None and not int(match[1]) <= int(match[2]) <= int(match[1]) + _MAX_RUN):
            raise UsageError(f"{option} {text!r} is not a list of tracks; write 3 or 3,7-9")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return list(dict.fromkeys(numbers))


def parse_points(text: str) -> tuple[int, tuple[tuple[float, float], ...]]:
    """Return frame and five points of "FRAME:x,y,x,y,x,y,x,y,x,y".

    Raises:
        UsageError: anything else.
    """
    frame, _, rest = text.partition(":")
    try:
        values = [float(value) for value in rest.split(",")]
        points = tuple(zip(values[::2], values[1::2], strict=True))
        number = int(frame)
    except ValueError:
        points, number = (), -1
    if len(points) != 5 or number < 0 or not np.isfinite(points).all():
        raise UsageError(
            f"--points {text!r} is not understood; write FRAME:x,y,x,y,x,y,x,y,x,y: left eye, right eye, nose tip, "
            "left and right mouth corner as seen in the picture, in px"
        )
    return number, points


def parse_shift(text: str) -> tuple[float, float]:
    """Return the px of "X,Y".

    Raises:
        UsageError: anything else.
    """
    try:
        x, y = (float(value) for value in text.split(","))
    except ValueError:
        x = y = float("nan")
    if not np.isfinite([x, y]).all():
        raise UsageError(f"--by {text!r} is not understood; write X,Y in px, like 3,-2 (right and up)")
    return x, y


def check_name(name: str) -> str:
    """Return a person's name.

    Raises:
        UsageError: it holds signs that options like `--map` give a meaning.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--person {name!r} is not a usable name; use letters, digits, dashes, no , = : /")
    return name.strip()
