from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from makers import face_at, noise_frame, tiny_model

from faceswap.convert import network
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.convert.network import WORTH_A_PROBE, settle_runners
from faceswap.errors import UsageError
from faceswap.models.probe import RunnerChoice
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import SwapOutput


@pytest.fixture
def model(tmp_path: Path) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path), device="cpu", precision="fp32")


@pytest.fixture(autouse=True)
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Wishes that led to a measurement, or to none because a name was given."""
    wishes: list[str] = []

    def choose(_: SwapModel, batch: int, wish: str) -> RunnerChoice:
        wishes.append(wish)
        return RunnerChoice("onnxruntime-fp32" if wish == "auto" else wish, "probed", {})

    monkeypatch.setattr(network, "chosen_runner", choose)
    return wishes


def begun(model: SwapModel, *runners: str) -> dict[str, Any]:
    return {"models": [model.manifest_sha256], "runners": [[name, 8] for name in runners]}


def test_long_conversion_measures(model: SwapModel, probed: list[str]) -> None:
    (choice,) = settle_runners([model], "auto", 8, WORTH_A_PROBE, None)
    assert model.runner == choice.runner == "onnxruntime-fp32"
    assert probed == ["auto"]


def test_few_faces_are_not_worth_a_measurement(model: SwapModel, probed: list[str]) -> None:
    (choice,) = settle_runners([model], "auto", 8, WORTH_A_PROBE - 1, None)
    assert model.runner == choice.runner == "torch-fp32"
    assert not probed


def test_conversion_that_goes_on_keeps_its_runner(model: SwapModel, probed: list[str]) -> None:
    (choice,) = settle_runners([model], "auto", 8, 10_000, begun(model, "torch-bf16"))
    assert model.runner == choice.runner == "torch-bf16"
    assert choice.reason == "as the conversion began"
    assert not probed


def test_conversion_that_goes_on_keeps_its_batch(model: SwapModel) -> None:
    facts = {"models": [model.manifest_sha256], "runners": [["torch-fp32", 3]]}
    (choice,) = settle_runners([model], "auto", 8, 10_000, facts)
    assert model.batch == 3
    assert choice.reason == "as the conversion began, 3 faces at a time for want of memory"


@pytest.mark.parametrize("runners", [(), ("torch-fp32", "torch-fp32"), ("cuda-graph-bf16",), (7,)])
def test_runners_that_cannot_be_kept_are_chosen_anew(model: SwapModel, probed: list[str], runners: Any) -> None:
    settle_runners([model], "auto", 8, 10_000, begun(model, *runners))
    assert probed == ["auto"]


def test_another_model_does_not_take_over_the_runner(model: SwapModel, probed: list[str]) -> None:
    settle_runners([model], "auto", 8, 10_000, {"models": ["other"], "runners": [["torch-bf16", 8]]})
    assert probed == ["auto"]


def test_wish_wins_over_what_was_begun(model: SwapModel) -> None:
    settle_runners([model], "onnxruntime-fp32", 8, 10_000, begun(model, "torch-bf16"))
    assert model.runner == "onnxruntime-fp32"


def test_unknown_wish_is_refused(model: SwapModel) -> None:
    with pytest.raises(UsageError, match="no runner 'fast'"):
        model.use_runner("fast")


class OfAFile(SwapModel):
    """A model that brings its own way to run."""

    def __init__(self, model: SwapModel) -> None:
        self.spec, self.compute, self.manifest_sha256 = model.spec, model.compute, "file"


def test_model_that_brings_its_own_runner_is_left_alone(model: SwapModel, probed: list[str]) -> None:
    own = OfAFile(model)
    facts = {"models": [own.manifest_sha256, model.manifest_sha256], "runners": [["its own", None], ["torch-bf16", 8]]}
    choices = settle_runners([own, model], "auto", 8, 10_000, facts)
    assert [choice.runner for choice in choices] == [own.runner, "torch-bf16"]
    assert own.batch is None
    assert not probed


class ShortOfMemory(SwapModel):
    """A model on a device that holds three faces."""

    def __init__(self, model: SwapModel) -> None:
        self.__dict__.update(model.__dict__)
        self.sizes: list[int] = []

    def swap(self, patches: torch.Tensor, *, to: str, morph: float = 1.0) -> SwapOutput:
        self.sizes.append(len(patches))
        if len(patches) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return super().swap(patches, to=to, morph=morph)


def test_engine_halves_its_batch_when_memory_is_short_and_says_so(model: SwapModel) -> None:
    short = ShortOfMemory(model)
    frames = [noise_frame(seed=i) for i in range(6)]
    faces = [[face_at(64, 40, 20)] for _ in frames]

    def processed(of: Sequence[SwapModel]) -> tuple[SwapEngine, list[Any]]:
        engine = SwapEngine(of, {0: Role(0, model.identities[0])}, ConvertConfig(batch=8), StageTimes())
        return engine, engine.process(frames, faces, [0] * 6)

    engine, found = processed([short])
    _, wanted = processed([model])
    assert short.sizes == [6, 4, 2, 2, 2]
    assert [remark.split(": ")[1] for remark in engine.remarks] == [
        f"{n} faces at a time from there on" for n in (4, 2)
    ]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.layers[0].raw, b.layers[0].raw, atol=1e-3, rtol=0)


def test_stream_gives_what_process_gives(model: SwapModel) -> None:
    frames = [noise_frame(seed=i) for i in range(7)]
    batches = [(frames[i : i + 2], [[face_at(64, 40, 20)]] * len(frames[i : i + 2]), [0, 0]) for i in (0, 2, 4)]

    def engine() -> SwapEngine:
        return SwapEngine([model], {0: Role(0, model.identities[0])}, ConvertConfig(), StageTimes())

    one, other = engine(), engine()
    streamed = list(one.stream(iter(batches)))
    for found, batch in zip(streamed, batches, strict=True):
        for a, b in zip(found, other.process(*batch), strict=True):
            assert all((p == q).all() for p, q in zip(a.frame.planes, b.frame.planes, strict=True))
            assert not all((p == q).all() for p, q in zip(a.frame.planes, a.source.planes, strict=True))


def test_error_of_a_later_batch_arrives_where_the_stream_is_read(model: SwapModel) -> None:
    def batches() -> Any:
        yield [noise_frame()], [[face_at(64, 40, 20)]], [0]
        raise RuntimeError("the clip ends here")

    stream = SwapEngine([model], {0: Role(0, model.identities[0])}, ConvertConfig(), StageTimes()).stream(batches())
    assert len(next(stream)) == 1
    with pytest.raises(RuntimeError, match="the clip ends here"):
        next(stream)
