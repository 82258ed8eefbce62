"""`events.jsonl`: what happened during training, one JSON object a line, appended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class EventLog:
    """Appends events to a file; a line is written whole or (after a crash) cut off and ignored by readers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **values: Any) -> None:
        """Append one event with the time of day."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **values}, allow_nan=False)
        with self._path.open("ab") as file:
            # A crash may have left half a line; it must not swallow this one.
            start = b"" if self._is_new_line() else b"\n"
            file.write(start + line.encode() + b"\n")

    def _is_new_line(self) -> bool:
        if not self._path.exists() or not self._path.stat().st_size:
            return True
        with self._path.open("rb") as file:
            file.seek(-1, 2)
            return file.read() == b"\n"
