"""`events.jsonl`: what happened during training, one JSON object a line, appended; and TensorBoard beside it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from faceswap.train.board import Board


class EventLog:
    """Appends events to a file; a line is written whole or (after a crash) cut off and ignored by readers.

    Args:
        path: None = nothing is kept (all processes of a run but the first).
        board: shows them, too.
    """

    def __init__(self, path: Path | None, board: Board | None = None) -> None:
        self._path, self._board = path, board

    def write(self, event: str, **values: Any) -> None:
        """Append one event with the time of day."""
        if self._path is None:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **values}, allow_nan=False)
        with self._path.open("ab") as file:
            # A crash may have left half a line; it must not swallow this one.
            start = b"" if _is_new_line(self._path) else b"\n"
            file.write(start + line.encode() + b"\n")
        if self._board:
            self._board.take(event, values)

    def picture(self, step: int, png: bytes) -> None:
        """Show a preview."""
        if self._board:
            self._board.picture(step, png)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._board:
            self._board.close()


def _is_new_line(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"
