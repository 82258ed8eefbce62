from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from makers import tiny_model
from torch import Tensor

from faceswap.device import choose_compute
from faceswap.errors import FaceswapError, UsageError
from faceswap.models import probe
from faceswap.models.probe import RunnerChoice, chosen_runner, quickest
from faceswap.models.runners import MAX_DIFFERENCE, checked_runner, in_static_batches, runner_names
from faceswap.models.swap_model import SwapModel

CPU = choose_compute("cpu", "fp32")
QUICK = [name for name in runner_names(CPU) if not name.startswith("compile")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"), ("anna", "bert"))


@pytest.fixture
def model(folder: Path) -> SwapModel:
    return SwapModel.load(folder, device="cpu", precision="fp32")


def patches(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(5))


def differences(model: SwapModel, name: str, to: str = "bert") -> tuple[float, float]:
    """Largest difference of pixels and masks from "torch-fp32"."""
    model.use_runner("torch-fp32")
    wanted = model.swap(patches(), to=to)
    model.use_runner(name)
    found = model.swap(patches(), to=to)
    assert found.pixels.dtype is found.mask.dtype is torch.float32  # type: ignore[union-attr]
    return tuple(  # type: ignore[return-value]
        float((a - b).abs().max())
        for a, b in ((found.pixels, wanted.pixels), (found.mask, wanted.mask))  # type: ignore[operator]
    )


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("to", ["anna", "bert"])
def test_runners_agree_within_the_stated_tolerance(model: SwapModel, name: str, to: str) -> None:
    tolerance = MAX_DIFFERENCE[name.rpartition("-")[2]]
    assert all(difference <= tolerance for difference in differences(model, name, to))


@pytest.mark.slow
def test_compiled_network_agrees_too(model: SwapModel) -> None:
    assert all(difference <= MAX_DIFFERENCE["fp32"] for difference in differences(model, "compile-fp32"))


def test_onnx_runner_gives_each_face_the_same_whatever_stands_beside_it(model: SwapModel) -> None:
    model.use_runner("onnxruntime")
    together = model.swap(patches(5), to="anna").pixels
    alone = torch.cat([model.swap(patch[None], to="anna").pixels for patch in patches(5)])
    torch.testing.assert_close(alone, together, atol=MAX_DIFFERENCE["fp32"], rtol=0)


def test_model_in_another_process_uses_the_same_runner(model: SwapModel) -> None:
    model.use_runner("onnxruntime")
    wanted = model.swap(patches(), to="anna").pixels
    sent = pickle.loads(pickle.dumps(model))
    assert sent.runner == "onnxruntime-fp32"
    assert torch.equal(sent.swap(patches(), to="anna").pixels, wanted)


def test_engine_alone_means_the_usual_arithmetic_or_the_only_one() -> None:
    assert checked_runner("torch", choose_compute("cpu", "bf16")) == "torch-bf16"
    assert checked_runner("onnxruntime", choose_compute("cpu", "bf16")) == "onnxruntime-fp32"


@pytest.mark.parametrize("name", ["tensorrt", "onnxruntime-bf16", "cuda-graph", "auto-fp32"])
def test_unknown_runner_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="onnxruntime-fp32"):
        checked_runner(name, CPU)


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_static_batches_are_always_full_and_give_back_what_came(count: int) -> None:
    sizes = []

    def run(full: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(full))
        return full * 2, full[:, :1]

    face, mask = in_static_batches(patches(count), 4, run)
    assert set(sizes) == {4}
    assert torch.equal(face, patches(count) * 2)
    assert torch.equal(mask, patches(count)[:, :1])


def test_what_is_less_exact_must_be_clearly_quicker() -> None:
    assert quickest({"torch-bf16": 10.0, "torch-fp32": 10.9, "onnxruntime-fp32": 10.5}) == "onnxruntime-fp32"
    assert quickest({"torch-bf16": 10.0, "torch-fp32": 12.0}) == "torch-bf16"


def measured(monkeypatch: pytest.MonkeyPatch, ms: dict[str, float]) -> list[int]:
    """Let the measurement give `ms`; return a list that grows with each."""
    calls: list[int] = []

    def fake(_: Any, batch: int) -> dict[str, float]:
        calls.append(batch)
        return ms

    monkeypatch.setattr(probe, "_measured", fake)
    return calls


def test_measurement_is_made_once_for_a_network_and_a_batch(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measured(monkeypatch, {"torch-fp32": 3.0, "onnxruntime-fp32": 2.0})
    first = chosen_runner(model, 8, folder=tmp_path)
    again = chosen_runner(model, 8, folder=tmp_path)
    chosen_runner(model, 1, folder=tmp_path)
    assert calls == [8, 1]
    assert first.words == "onnxruntime-fp32, 2.0 ms a face; probed (torch-fp32 3.0)"
    assert (again.runner, again.ms, again.reason) == (first.runner, first.ms, "probed before")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"ms": {}}', b'{"circumstances": {}, "ms": {"torch-fp32": 1}}'])
def test_damaged_memory_means_measuring_again(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    calls = measured(monkeypatch, {"torch-fp32": 3.0})
    chosen_runner(model, 8, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert chosen_runner(model, 8, folder=tmp_path).reason == "probed"
    assert calls == [8, 8]
    assert json.loads(file.read_bytes())["ms"] == {"torch-fp32": 3.0}


def test_runner_of_another_version_in_the_memory_is_not_believed(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measured(monkeypatch, {"torch-fp32": 3.0})
    chosen_runner(model, 8, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    entry = json.loads(file.read_bytes())
    file.write_text(json.dumps({**entry, "ms": {"quantum-int1": 0.1}}))
    assert chosen_runner(model, 8, folder=tmp_path).runner == "torch-fp32"
    assert calls == [8, 8]


def test_real_measurement_chooses_one_of_the_candidates(model: SwapModel, tmp_path: Path) -> None:
    choice = chosen_runner(model, 2, folder=tmp_path)
    assert set(choice.ms) == {"torch-fp32", "onnxruntime-fp32"}
    assert choice.runner == quickest(choice.ms)


def test_candidate_that_fails_is_left_out(model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_onnx(*_: Any) -> bytes:
        raise FaceswapError("not today")

    monkeypatch.setattr("faceswap.models.onnx_runner.onnx_graph", no_onnx)
    choice = chosen_runner(model, 2, folder=tmp_path)
    assert set(choice.ms) == {"torch-fp32"}


def test_wish_is_not_measured(model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = measured(monkeypatch, {"torch-fp32": 3.0})
    choice = chosen_runner(model, 8, "torch", folder=tmp_path)
    assert choice == RunnerChoice("torch-fp32", "as asked", {})
    assert not calls


def test_cache_that_cannot_be_written_is_no_failure(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(monkeypatch, {"torch-fp32": 3.0})
    (tmp_path / "file").touch()
    assert chosen_runner(model, 8, folder=tmp_path / "file" / "probes").runner == "torch-fp32"


def test_network_that_cannot_be_written_as_onnx_is_one_sentence(model: SwapModel) -> None:
    broken = copy.deepcopy(model)

    def refuse(*_: Any) -> Any:
        raise RuntimeError("no such operator")

    for network in broken._networks.values():
        network.forward = refuse  # type: ignore[method-assign]
    broken.use_runner("onnxruntime")
    with pytest.raises(FaceswapError, match=r"cannot be written as ONNX.*--runner torch"):
        broken.swap(patches(), to="anna")
