"""The watermark's bench: distances, windows and the table."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from clips import make_clip

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench" / "watermark.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watermark_bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_distance_is_in_8_bit_steps_at_every_depth(bench: ModuleType) -> None:
    eight, ten = bench.Distance(), bench.Distance()
    eight.add(np.full((4, 4), 100, np.uint8), np.full((4, 4), 102, np.uint8), 8)
    ten.add(np.full((4, 4), 400, np.uint16), np.full((4, 4), 408, np.uint16), 10)
    assert eight.psnr == ten.psnr == pytest.approx(42.11, abs=0.01)


def test_unmarked_windows_give_no_hit_and_are_counted(bench: ModuleType, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", size=(280, 300), num_frames=30, codec="ffv1")
    first = next(iter(bench.windows([clip])))
    assert len(first) == 24
    assert first[0].size == (256, 256)
    found = bench.false_hits([clip], 2)
    assert (found["windows"], found["hits"]) == (2, 0)
    assert found["comparisons"] > 0


def test_table_shows_what_was_not_found(bench: ModuleType) -> None:
    right, wrong = {"is_right": True, "bits": 121}, {"is_right": False}
    row = {"psnr_y": 45.0, "psnr_y_where_marked": 45.0, "share_marked": 1.0}
    attacks = {name: right if i % 2 else wrong for i, name in enumerate(bench.ATTACKS)}
    lines = bench.table_of({"frame": {"a": {**row, "attacks": attacks}}}).splitlines()
    cells = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in lines[3:]}
    assert cells["delivered"] == "-"
    assert cells["x264 CRF 23"] == "121"
    assert list(itertools.islice(cells, 3)) == ["psnr_y", "psnr_y_where_marked", "share_marked"]
