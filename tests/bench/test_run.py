from __future__ import annotations

import pytest

from faceswap.bench.run import run_bench
from faceswap.errors import UsageError


def test_convert_bench_reports_every_stage_and_its_circumstances() -> None:
    result = run_bench(
        "convert", num_frames=8, num_steps=1, recipe="quick-64", device="cpu", seed=0, on_note=lambda _: None
    )
    figures = result["results"]["convert"]
    stages = {"analyse", "who is who", "decode", "crop", "network", "mask", "match", "composite", "encode", "figures"}
    assert set(figures["ms_per_frame"]) == stages
    assert "analyse" not in figures["ms_per_frame_index_reused"]
    assert figures["faces"] == figures["frames"] == 8
    assert result["circumstances"]["versions"]["torch"]


def test_unknown_bench_is_refused() -> None:
    with pytest.raises(UsageError, match="convert, train"):
        run_bench("swap", num_frames=8, num_steps=1, recipe="quick-64", device="cpu", seed=0, on_note=lambda _: None)


def test_faces_bench_compares_with_a_look_at_every_frame() -> None:
    result = run_bench(
        "faces", num_frames=8, num_steps=1, recipe="quick-64", device="cpu", seed=0, on_note=lambda _: None
    )
    figures = result["results"]["faces"]
    assert figures["frames"] == figures["faces"] == 8
    rates = {name: value for name, value in figures.items() if name.endswith(("_fps", "_per_second"))}
    assert len(rates) == 6
    assert min(rates.values()) > 0
