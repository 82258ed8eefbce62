from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from faceswap.bench.common import circumstances
from faceswap.bench.convert import ConvertCases
from faceswap.bench.gpu import GpuWatch
from faceswap.bench.run import run_bench
from faceswap.device import choose_compute
from faceswap.errors import UsageError
from faceswap.media import libraries

CPU = choose_compute("cpu")


def bench(what: str, **over: Any) -> dict[str, Any]:
    return run_bench(
        what, num_frames=8, num_steps=1, recipe="quick-64", device="cpu", seed=0, on_note=lambda _: None, **over
    )


def test_convert_bench_reports_every_stage_of_every_case_and_its_circumstances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path))
    result = bench("convert", cases=ConvertCases((64,), (720,), (2,)))
    (figures,) = result["results"]["convert"]["cases"]
    stages = {"analyse", "decode", "crop", "network", "mask", "match", "composite", "encode", "wait"}
    assert stages <= set(figures["ms_per_frame"])
    assert (figures["picture"], figures["size"], figures["batch"]) == ("1280x720", 64, 2)
    assert figures["faces"] == result["results"]["convert"]["frames"] == 8
    positive = ("fps_cold", "fps", "fps_index_reused", "fps_bare_transcode", "cpu_ms_per_frame", "peak_rss_mb")
    assert min(figures[name] for name in positive) > 0
    assert figures["runner"] in figures["ms_a_face_by_runner"]
    assert not {"device_idle_share", "peak_vram_mb"} & set(figures)  # of a GPU only
    assert {"torch", "av"} <= set(result["circumstances"]["versions"])


def test_circumstances_are_told_whatever_onnxruntime_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "onnxruntime":
            raise PackageNotFoundError(name)
        return f"9 of {name}"

    monkeypatch.setattr(libraries, "version", version)
    versions = circumstances("cpu")["versions"]
    assert versions["onnxruntime-gpu"] == "9 of onnxruntime-gpu"
    assert "onnxruntime" not in versions


def test_cases_follow_from_the_device_and_from_what_is_said() -> None:
    assert ConvertCases.of(CPU) == ConvertCases((64, 128), (720, 1080), (8,))
    assert ConvertCases.of(CPU, is_quick=True) == ConvertCases((64,), (720,), (8,))
    said = ConvertCases.of(CPU, sizes="256, 512", lines="2160", batches="1,16")
    assert said == ConvertCases((256, 512), (2160,), (1, 16))
    assert [said.recipe_of(size) for size in said.sizes] == ["df-256", "df-256"]
    assert ConvertCases.of(CPU, recipe="quick-128").sizes == (128,)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sizes": "96"}, "64, 128, 256, 512"),
        ({"lines": "480"}, "720"),
        ({"batches": "0"}, "1 and more"),
        ({"sizes": "big"}, "64,128"),
    ],
)
def test_cases_that_are_not_there_are_refused_with_those_that_are(said: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ConvertCases.of(CPU, **said)  # type: ignore[arg-type]


def test_watch_of_nothing_has_no_figures() -> None:
    with GpuWatch(None) as watch:
        pass
    assert watch.figures == {}


def test_unknown_bench_is_refused() -> None:
    with pytest.raises(UsageError, match="convert, train"):
        bench("swap")


def test_faces_bench_compares_with_a_look_at_every_frame() -> None:
    figures = bench("faces")["results"]["faces"]
    assert figures["frames"] == figures["faces"] == 8
    rates = {name: value for name, value in figures.items() if name.endswith(("_fps", "_per_second"))}
    assert len(rates) == 6
    assert min(rates.values()) > 0
