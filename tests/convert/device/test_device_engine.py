"""`DeviceEngine` on the CPU, through the references in torch, against `SwapEngine`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from makers import face_at, noise_frame, tiny_model, tiny_values

from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.device.engine import DeviceEngine
from faceswap.convert.device.supported import choose, unsupported
from faceswap.convert.engine import SwapEngine
from faceswap.convert.face_settings import FaceSettings
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face, Frame, SwapOutput


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    folder: Path = tiny_model(tmp_path_factory.mktemp("model"))
    return SwapModel.load(folder, device="cpu", precision="fp32")


def frames(count: int, pix_fmt: str = "yuv420p") -> list[Frame]:
    return [replace(noise_frame(pix_fmt, (160, 200), seed=i), index=i) for i in range(count)]


def both(model: SwapModel, **over: object) -> tuple[SwapEngine, DeviceEngine]:
    roles = dict.fromkeys(range(2), Role(0, "anna"))
    config = ConvertConfig.model_validate({"grain": "off", **over})
    return tuple(kind([model], roles, config, StageTimes()) for kind in (SwapEngine, DeviceEngine))


def moving(count: int) -> list[list[Face]]:
    return [
        [face_at(60 + i, 60, 22, angle=0.05 * i, frame=i), face_at(150, 62 - i, 18, frame=i, track=1)]
        for i in range(count)
    ]


def differences(a: list[Frame], b: list[Frame]) -> list[np.ndarray]:
    return [
        np.abs(x.astype(int) - y)
        for one, other in zip(a, b, strict=True)
        for x, y in zip(one.planes, other.planes, strict=True)
    ]


SETTINGS = {
    "usual": {},
    "no match": {"match": "none", "light": 0.0, "sharpness": 0.0, "occlusion": "off"},
    "reinhard": {"match": "reinhard", "light": 0.5},
    "mean, eroded": {"match": "mean", "erode": 0.05, "feather": 0.12, "keep": "eyes"},
    "faint": {"opacity": "0.7,mouth=0.4", "mask_steady": 0.0},
}
MAX_CODES, MEAN_CODES = 3, 0.05
"""Largest and mean difference of a sample of the finished picture, in codes of 8 bits."""


def assert_alike(found: list[Frame], expected: list[Frame], max_codes: int = MAX_CODES) -> None:
    step = 2 ** (found[0].color.bit_depth - 8)
    for difference in differences(found, expected):
        assert difference.max() <= max_codes * step
        assert difference.mean() <= MEAN_CODES * step


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gbrp"])
@pytest.mark.parametrize("over", SETTINGS.values(), ids=SETTINGS.keys())
def test_pictures_are_those_of_the_cpu(model: SwapModel, over: dict[str, object], pix_fmt: str) -> None:
    given, faces = frames(5, pix_fmt), moving(5)
    expected, found = ([each.frame for each in engine.process(given, faces, [0] * 5)] for engine in both(model, **over))
    for before, after in zip(given, found, strict=True):
        assert all((a != b).mean() > 0.02 for a, b in zip(before.planes, after.planes, strict=True))
    assert_alike(found, expected)


def test_small_and_large_faces_are_those_of_the_cpu(model: SwapModel) -> None:
    given = frames(3)
    faces = [[face_at(100, 70, iod, frame=i)] for i, iod in enumerate((9, 14, 55))]
    expected, found = ([each.frame for each in engine.process(given, faces, [0] * 3)] for engine in both(model))
    assert_alike(found, expected)


def test_frames_without_faces_pass_as_they_are(model: SwapModel) -> None:
    given = frames(3)
    _, engine = both(model)
    rendered = engine.process(given, [[], [face_at(90, 60, 22, frame=1)], []], [0] * 3)
    assert rendered[0].frame is given[0]
    assert rendered[2].frame is given[2]
    assert [len(each.layers) for each in rendered] == [0, 1, 0]


def test_untouched_samples_are_those_of_the_source(model: SwapModel) -> None:
    (given,) = frames(1)
    given = replace(given, planes=(*given.planes, np.arange(32000, dtype=np.uint8).reshape(160, 200)))
    _, engine = both(model)
    (rendered,) = engine.process([given], [[face_at(60, 60, 18)]], [0])
    changed = rendered.frame.planes[0] != given.planes[0]
    assert changed[:, :105].any()
    assert not changed[:, 105:].any()
    assert rendered.frame.planes[3] is given.planes[3]
    assert rendered.source is given


def test_layers_are_those_of_the_cpu(model: SwapModel) -> None:
    given, faces = frames(3), moving(3)
    expected, found = (engine.process(given, faces, [0] * 3) for engine in both(model))
    for a, b in zip(found, expected, strict=True):
        assert [layer.track for layer in a.layers] == [layer.track for layer in b.layers] == [0, 1]
        for mine, its in zip(a.layers, b.layers, strict=True):
            assert np.abs(mine.raw - its.raw).max() < 1e-2
            assert np.abs(mine.patch.pixels - its.patch.pixels).max() < 1e-2
            assert np.abs(mine.patch.mask - its.patch.mask).max() < 1e-2
            assert np.array_equal(mine.patch.patch_from_frame, its.patch.patch_from_frame)


def test_batches_and_streams_do_not_change_the_result(model: SwapModel) -> None:
    given, faces = frames(7), moving(7)
    at_once = [each.frame for each in both(model)[1].process(given, faces, [0] * 7)]
    for size in (1, 3):
        parts = [(given[i : i + size], faces[i : i + size], [0] * len(given[i : i + size])) for i in range(0, 7, size)]
        streamed = [each.frame for batch in both(model)[1].stream(parts) for each in batch]
        for difference in differences(streamed, at_once):
            assert difference.max() <= 1


def test_memory_starts_afresh_at_a_segment_from_the_frames_before_it(model: SwapModel) -> None:
    """A segment that follows on another one, and one that is rendered alone, are the same; and those of the CPU."""
    given, faces, shots = frames(8), moving(8), [0] * 8
    results = []
    for engine in both(model):
        engine.process(given[:5], faces[:5], shots[:5])
        engine.begin_segment(5, 0)
        on = [each.frame for each in engine.process(given[5:], faces[5:], shots[5:])]
        engine.forget()
        engine.observe(given[:5], faces[:5], shots[:5])
        engine.begin_segment(5, 0)
        alone = [each.frame for each in engine.process(given[5:], faces[5:], shots[5:])]
        assert all(difference.max() <= 1 for difference in differences(on, alone))
        results.append(on)
    assert_alike(results[1], results[0])


def test_people_of_several_models_meet_in_one_frame(model: SwapModel, tmp_path: Path) -> None:
    network = {**tiny_values()["network"], "size": 96}
    other = SwapModel.load(tiny_model(tmp_path, ("carl", "dora"), network=network), device="cpu", precision="fp32")
    config, roles = ConvertConfig(grain="off"), {0: Role(0, "bert"), 1: Role(1, "dora")}
    given = frames(3)
    faces = [[face_at(70, 60, 22, frame=i), face_at(95, 62, 22, frame=i, track=1)] for i in range(3)]  # overlapping
    expected, found = (
        [each.frame for each in kind([model, other], roles, config, StageTimes()).process(given, faces, [0] * 3)]
        for kind in (SwapEngine, DeviceEngine)
    )
    # Patches of 96 px shrink: the area filter of the CPU begins at the mask's edge, that of the device at the patch's.
    assert_alike(found, expected, max_codes=6)


def test_grain_is_as_strong_as_on_the_cpu(model: SwapModel) -> None:
    random = np.random.default_rng(1)
    given = [
        replace(f, planes=(np.clip(f.planes[0] + random.normal(0, 6, f.size), 16, 235).astype(np.uint8), *f.planes[1:]))
        for f in frames(4)
    ]
    faces = [[face_at(100, 70, 45, frame=i)] for i in range(4)]
    results = [engine.process(given, faces, [0] * 4) for engine in both(model, grain="match")]
    for expected, found in zip(*results, strict=True):
        (a,), (b,) = expected.layers, found.layers
        assert a.grain is not None
        assert b.grain == a.grain
        spread = [float(each.frame.planes[0][50:100, 80:120].astype(float).std()) for each in (expected, found)]
        assert spread[1] == pytest.approx(spread[0], rel=0.1)


def test_colours_of_whole_shots_are_gathered_and_used(model: SwapModel) -> None:
    given, faces, shots = frames(4), moving(4), [0] * 4
    roles, config = dict.fromkeys(range(2), Role(0, "anna")), ConvertConfig(match_over="shot", grain="off")
    gathering = [kind([model], roles, config, StageTimes()) for kind in (SwapEngine, DeviceEngine)]
    for engine in gathering:
        engine.process(given, faces, shots)
    looks = [engine.gathered for engine in gathering]
    assert looks[0].keys() == looks[1].keys() == {"mkl"}
    for key, seen in looks[0]["mkl"].items():
        np.testing.assert_allclose(looks[1]["mkl"][key], seen, atol=1e-4)
    using = [kind([model], roles, config, StageTimes(), looks=looks[0]) for kind in (SwapEngine, DeviceEngine)]
    expected, found = ([each.frame for each in engine.process(given, faces, shots)] for engine in using)
    assert_alike(found, expected)


def test_morph_reaches_the_network(tmp_path: Path) -> None:
    dims = {"encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4, "morph_dim": 32}
    network = {"name": "amp", "size": 64, **dims}
    amp = SwapModel.load(tiny_model(tmp_path, network=network), device="cpu", precision="fp32")
    given, faces = frames(2), [[face_at(90, 60, 22, frame=i)] for i in range(2)]
    raws = {}
    for share in (0.2, 1.0):
        expected, found = (engine.process(given, faces, [0] * 2) for engine in both(amp, morph=share))
        assert_alike([each.frame for each in found], [each.frame for each in expected])
        raws[share] = found[0].layers[0].raw
    assert np.abs(raws[0.2] - raws[1.0]).max() > 0.01


def test_memory_that_is_short_halves_the_batch_and_is_remarked_on(
    model: SwapModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = SwapModel.swap

    def short(self: SwapModel, patches: torch.Tensor, **how: Any) -> SwapOutput:
        sizes.append(len(patches))
        if len(patches) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, patches, **how)

    given, faces = frames(4), moving(4)
    expected = [each.frame for each in both(model)[1].process(given, faces, [0] * 4)]
    monkeypatch.setattr(SwapModel, "swap", short)
    _, engine = both(model, batch=8)
    found = [each.frame for each in engine.process(given, faces, [0] * 4)]
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert len(engine.remarks) == 2
    assert_alike(found, expected, max_codes=1)


def test_times_of_stages_are_measured(model: SwapModel) -> None:
    times = StageTimes()
    engine = DeviceEngine([model], {0: Role(0, "anna")}, ConvertConfig(), times)
    engine.process(frames(1), [[face_at(90, 60, 22)]], [0])
    assert set(times.seconds) == {"upload", "crop", "network", "mask", "match", "composite"}


def test_pictures_of_two_formats_in_one_batch(model: SwapModel) -> None:
    given = [*frames(2), *(replace(frame, index=2 + i) for i, frame in enumerate(frames(2, "yuv444p")))]
    expected, found = ([each.frame for each in engine.process(given, moving(4), [0] * 4)] for engine in both(model))
    for one, other in zip(found, expected, strict=True):
        assert_alike([one], [other])


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({}, None),
        ({"match": "none", "opacity": 0.5}, None),
        ({"match": "poisson"}, "match poisson"),
        ({"erode": -0.02}, "erode -0.02"),
        ({"erode": "top=0.1"}, "erode top=0.1"),
        ({"refine_mask": 0.05}, "refine_mask 0.05"),
        ({"passes": 2}, "passes 2"),
        ({"restore": "gfpgan.onnx"}, "restore gfpgan.onnx"),
    ],
)
def test_what_is_not_known_is_said(over: dict[str, object], reason: str | None) -> None:
    assert unsupported([FaceSettings(), FaceSettings.model_validate(over)]) == reason


def test_the_device_is_chosen_by_what_it_can_do() -> None:
    usual, other = FaceSettings(), FaceSettings(match="histogram")
    assert choose(torch.device("cpu"), [usual]) == (False, None)
    assert choose(torch.device("cuda"), [usual])[0]
    is_on_device, remark = choose(torch.device("cuda"), [usual, other])
    assert not is_on_device
    assert remark is not None
    assert "match histogram" in remark


def test_a_setting_that_was_added_since_is_not_known() -> None:
    class Later(FaceSettings):
        halo: float = 0.0

    class LaterJob(ConvertConfig):
        glow: float = 0.5

    assert unsupported([Later()]) == "halo 0.0"
    assert unsupported([FaceSettings()], ConvertConfig()) is None
    assert unsupported([FaceSettings()], LaterJob()) == "glow 0.5"


@pytest.mark.gpu
def test_on_a_gpu_pictures_are_those_of_the_cpu(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path)
    given, faces, roles = frames(6), moving(6), dict.fromkeys(range(2), Role(0, "anna"))
    results = []
    for kind, device in ((SwapEngine, "cpu"), (DeviceEngine, "cuda")):
        engine = kind(
            [SwapModel.load(folder, device=device, precision="fp32")], roles, ConvertConfig(grain="off"), StageTimes()
        )
        parts = [(given[i : i + 2], faces[i : i + 2], [0, 0]) for i in range(0, 6, 2)]
        results.append([each.frame for batch in engine.stream(parts) for each in batch])
    assert_alike(results[1], results[0])
