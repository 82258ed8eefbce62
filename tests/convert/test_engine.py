from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from makers import face_at, noise_frame, tiny_model, tiny_values

from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face, Frame


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    folder: Path = tiny_model(tmp_path_factory.mktemp("model"))
    return SwapModel.load(folder, device="cpu", precision="fp32")


def frames(count: int) -> list[Frame]:
    return [replace(noise_frame("yuv420p", (160, 200), seed=i), index=i) for i in range(count)]


def engine(model: SwapModel, **over: object) -> SwapEngine:
    roles = dict.fromkeys(range(2), Role(0, "anna"))
    return SwapEngine([model], roles, ConvertConfig.model_validate(over), StageTimes())


def swapped(engine: SwapEngine, given: list[Frame], faces: list[list[Face]]) -> list[Frame]:
    return [rendered.frame for rendered in engine.process(given, faces, [0] * len(given))]


def same(a: Frame, b: Frame) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


def test_frames_without_faces_pass_untouched(model: SwapModel) -> None:
    given = frames(2)
    assert swapped(engine(model), given, [[], []]) == given


def test_only_frames_with_faces_change(model: SwapModel) -> None:
    given = frames(3)
    result = swapped(engine(model), given, [[], [face_at(90, 60, 25)], []])
    assert [same(a, b) for a, b in zip(given, result, strict=True)] == [True, False, True]


def test_two_faces_in_a_frame_are_both_swapped(model: SwapModel) -> None:
    (given,) = frames(1)
    (result,) = swapped(engine(model), [given], [[face_at(50, 60, 20), face_at(150, 60, 20, track=1)]])
    changed = result.planes[0] != given.planes[0]
    assert changed[:, :90].any()
    assert changed[:, 110:].any()
    assert not changed[:, 95:105].any()


def test_each_track_gets_its_own_identity_of_its_own_model(model: SwapModel, tmp_path: Path) -> None:
    network = tiny_values()["network"]
    other = SwapModel.load(tiny_model(tmp_path, ("carl", "dora"), network={**network, "size": 96}), device="cpu")
    config = ConvertConfig(match="mkl", batch=4)
    given = frames(6)
    faces = [[face_at(50, 60, 20, frame=i), face_at(150, 60, 20, frame=i, track=1)] for i in range(6)]
    together = {0: Role(0, "bert"), 1: Role(1, "dora")}
    both = SwapEngine([model, other], together, config, StageTimes()).process(given, faces, [0] * 6)
    for track, (of, identity) in enumerate([(model, "bert"), (other, "dora")]):
        alone = SwapEngine([of], {track: Role(0, identity)}, config, StageTimes())
        single = alone.process(given, [[f for f in of_frame if f.track == track] for of_frame in faces], [0] * 6)
        for whole, part in zip(both, single, strict=True):
            assert [layer.track for layer in whole.layers] == [0, 1]
            (layer,) = part.layers
            assert np.array_equal(whole.layers[track].patch.pixels, layer.patch.pixels)
            assert layer.patch.pixels.shape[-1] == of.crop.size


def test_size_of_batches_does_not_change_the_result(model: SwapModel) -> None:
    given, faces = frames(5), [[face_at(90 + i, 60, 25, frame=i)] for i in range(5)]
    results = [swapped(engine(model, batch=batch), given, faces) for batch in (1, 2, 8)]
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            assert max(np.abs(x.astype(int) - y).max() for x, y in zip(a.planes, b.planes, strict=True)) <= 1


def test_eroded_mask_changes_fewer_samples(model: SwapModel) -> None:
    (given,) = frames(1)
    changed = []
    for erode in (0.0, 0.15):
        (result,) = swapped(engine(model, erode=erode), [given], [[face_at(90, 60, 25)]])
        changed.append((result.planes[0] != given.planes[0]).sum())
    assert 0 < changed[1] < changed[0]


def test_match_brings_the_face_nearer_to_the_footage(model: SwapModel) -> None:
    (given,) = frames(1)
    given = replace(given, planes=(given.planes[0] // 2 + 20, *given.planes[1:]))
    difference = {}
    for match in ("none", "mkl"):
        (result,) = swapped(engine(model, match=match), [given], [[face_at(90, 60, 25)]])
        difference[match] = abs(
            float(result.planes[0][60:80, 80:100].mean()) - float(given.planes[0][60:80, 80:100].mean())
        )
    assert difference["mkl"] < difference["none"]


def test_without_a_match_the_face_keeps_the_colours_of_the_network(model: SwapModel) -> None:
    given, faces = frames(2), [[face_at(90, 60, 25)]] * 2
    (layer,) = engine(model, match="none", sharpness=0).process(given, faces, [0, 0])[1].layers
    np.testing.assert_array_equal(layer.patch.pixels, layer.raw)
    (matched,) = engine(model, sharpness=0).process(given, faces, [0, 0])[1].layers
    assert np.abs(matched.patch.pixels - matched.raw).max() > 0.02


def test_layers_laid_over_the_source_give_the_frame(model: SwapModel) -> None:
    (given,) = frames(1)
    (rendered,) = engine(model).process([given], [[face_at(50, 60, 20), face_at(150, 60, 20, track=1)]], [0])
    assert [layer.track for layer in rendered.layers] == [0, 1]
    assert rendered.source is given
    again = given
    for layer in rendered.layers:
        again = blend.paste(again, layer.patch, layer.grain)
    assert same(again, rendered.frame)
    assert not np.array_equal(rendered.layers[0].raw, rendered.layers[0].patch.pixels)
