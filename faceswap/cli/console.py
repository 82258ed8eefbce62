"""What people see (stderr), what scripts read (stdout), and what is kept (the log file)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from faceswap.errors import UsageError
from faceswap.progress import Progress

_SECONDS_BETWEEN_LINES = 10.0
"""Between progress lines where the terminal cannot show a moving bar."""
_SECONDS_BETWEEN_EVENTS = 1.0


class Console:
    """One command's voice."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False, log_file: Path | None = None) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.is_json = False
        """Set by commands with --json: stdout then carries JSON Lines only."""
        self._log = self._open_log(log_file) if log_file else None
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._last_line = 0.0
        self._last_event = 0.0
        self._stage_start: dict[str, tuple[float, int, int]] = {}
        """Stage -> time and count at its first report, count at its last."""

    @staticmethod
    def _open_log(path: Path) -> Any:
        try:
            return path.open("a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--log-file {path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_bar()
        if self._log:
            if error is not None:
                self._write_log(f"error: {error}")
            self._log.close()

    def note(self, text: str) -> None:
        """Say something to a person."""
        self._write_log(text)
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def result(self, text: str) -> None:
        """Print what the user asked for; silent under --json, where events carry it."""
        self._end_bar()
        self._write_log(text)
        if not self.is_json:
            print(text, flush=True)

    def event(self, name: str, **values: Any) -> None:
        """Print one JSON line when --json is on."""
        if self.is_json:
            print(json.dumps({"event": name, **values}), flush=True)

    def on_progress(self, progress: Progress) -> None:
        """Show progress: a bar on terminals, a line now and then elsewhere, events under --json."""
        now = time.monotonic()
        first = self._stage_start.get(progress.stage)
        if first is None or progress.done < first[2]:  # a stage begins, or begins again with the next clip
            first = (now, progress.done, progress.done)
        self._stage_start[progress.stage] = first = (first[0], first[1], progress.done)
        is_last = progress.done == progress.total
        if self.is_json and (is_last or now - self._last_event >= _SECONDS_BETWEEN_EVENTS):
            self._last_event = now
            self.event("progress", stage=progress.stage, done=progress.done, total=progress.total, **progress.details)
        if self.quiet:
            return
        text = _describe(progress, now - first[0], progress.done - first[1])
        if sys.stderr.isatty():
            self._show_bar(progress, text)
        elif now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            print(f"{progress.stage} {text}", file=sys.stderr, flush=True)

    def _show_bar(self, progress: Progress, text: str) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        if self._bar is None:
            columns = (TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.fields[text]}"))
            self._bar = Bar(*columns, console=RichConsole(stderr=True))
            self._bar.start()
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = self._bar.add_task(progress.stage, text=text)
        self._bar.update(self._tasks[progress.stage], completed=progress.done, total=progress.total, text=text)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._tasks = {}

    def _write_log(self, text: str) -> None:
        if self._log:
            self._log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")
            self._log.flush()


def _describe(progress: Progress, seconds: float, done: int) -> str:
    total = f"/{progress.total}" if progress.total else ""
    parts = [f"{progress.done}{total} {progress.unit}"]
    if done > 0 and seconds > 0.5:
        rate = done / seconds
        parts.append(f"{rate:.1f}/s")
        if progress.total:
            parts.append(f"ETA {_clock(max(0, progress.total - progress.done) / rate)}")
    parts += [f"{name} {value}" for name, value in progress.details.items()]
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
