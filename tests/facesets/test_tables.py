from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from portraits import blurred, portrait_set, same

from faceswap.errors import UsageError
from faceswap.facesets.measure import measured_records
from faceswap.facesets.schema import FIGURE_COLUMNS, RECORD_COLUMNS
from faceswap.facesets.tables import write_table


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_table_holds_every_column_of_every_crop(tmp_path: Path, suffix: str) -> None:
    store = portrait_set(tmp_path / "set", [same, blurred(2)])
    records = measured_records(store)
    path = tmp_path / f"crops{suffix}"
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    write_table(store, records, path)
    if suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        landmarks = json.loads(rows[1]["landmarks"])
    else:
        rows = parquet.read_table(path).to_pylist() if suffix == ".parquet" else list(map(json.loads, path.open()))
        landmarks = rows[1]["landmarks"]
    assert set(rows[0]) == {*RECORD_COLUMNS, *FIGURE_COLUMNS, "clip_path"}
    assert [row["file"] for row in rows] == [record.file for record in records]
    np.testing.assert_allclose(landmarks, records[1].landmarks)
    assert records[1].figures is not None
    assert float(rows[1]["sharpness"]) == pytest.approx(records[1].figures.sharpness)
    assert rows[0]["clip_path"] == "cccc.mp4"


def test_other_suffix_is_refused(tmp_path: Path) -> None:
    store = portrait_set(tmp_path / "set", [same])
    with pytest.raises(UsageError, match=r"\.csv, \.jsonl, \.parquet"):
        write_table(store, measured_records(store), tmp_path / "crops.xls")


def test_parquet_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = portrait_set(tmp_path / "set", [same])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"faceswap\[tables\]"):
        write_table(store, measured_records(store), tmp_path / "crops.parquet")
    assert not (tmp_path / "crops.parquet").exists()
