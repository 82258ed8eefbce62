"""A faceset's rows as a table: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faceswap.errors import UsageError
from faceswap.facesets.schema import FIGURE_COLUMNS, RECORD_COLUMNS, FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, write_atomic

SUFFIXES = (".csv", ".jsonl", ".parquet")


def write_table(faceset: FaceSet, records: Sequence[FaceRecord], path: Path) -> None:
    """Write all that is known of crops, by suffix; arrays become JSON texts in CSV, nested lists elsewhere.

    Raises:
        UsageError: another suffix, or Parquet without pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: tables are written as {', '.join(SUFFIXES)}")
    paths = {clip.fingerprint: clip.path for clip in faceset.clips()}
    rows = [_row(record, paths[record.clip]) for record in records]
    columns = ["file", "clip_path", *RECORD_COLUMNS[1:], *FIGURE_COLUMNS]
    make = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}[suffix]
    data = make(columns, rows)
    with disk_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)


def _row(record: FaceRecord, clip_path: str) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in RECORD_COLUMNS}
    row = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
    figures = {name: getattr(record.figures, name, None) for name in FIGURE_COLUMNS}
    if record.figures is not None:
        figures["look"] = record.figures.look.hex()
    return {**row, "clip_path": clip_path, **figures}


def _csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        cells = [row[name] for name in columns]
        writer.writerow([json.dumps(cell) if isinstance(cell, list) else cell for cell in cells])
    return file.getvalue().encode()


def _json_lines(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps({name: row[name] for name in columns}) + "\n" for row in rows).encode()


def _parquet(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet tables need the package pyarrow; pip install 'faceswap[tables]'") from error
    table = pyarrow.table({name: [row[name] for row in rows] for name in columns})
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()
