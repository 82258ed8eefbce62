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
        line = json.dumps({"event": event, "time": round(time.time(), 3), **values})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
