from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from portraits import blurred, portrait_set, same

from faceswap.errors import InterruptedRunError
from faceswap.facesets import measure
from faceswap.facesets.measure import measure_faceset, measured_records


def test_missing_figures_are_measured_once(tmp_path: Path) -> None:
    store = portrait_set(tmp_path, [same, blurred(3)])
    assert measure_faceset(store).num_measured == 2
    assert measure_faceset(store).num_measured == 0
    assert measure_faceset(store, everything=True).num_measured == 2
    sharp, soft = (record.figures for record in store.records())
    assert sharp is not None
    assert soft is not None
    assert soft.sharpness < sharp.sharpness


def test_stopped_measuring_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = portrait_set(tmp_path, [same] * 7)
    monkeypatch.setattr(measure, "_PORTION", 3)

    def interrupt(event: Any) -> None:
        if event.done == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="3 of 7"):
        measure_faceset(store, on_progress=interrupt)
    assert measure_faceset(store).num_measured == 4


def test_crops_that_cannot_be_read_are_named_and_left_out(tmp_path: Path) -> None:
    store = portrait_set(tmp_path, [same] * 3)
    files = [record.file for record in store.records()]
    (tmp_path / files[0]).unlink()
    (tmp_path / files[1]).write_bytes(b"no picture")
    assert measure_faceset(store).unreadable == tuple(files[:2])
    assert [record.file for record in measured_records(store)] == files[2:]
