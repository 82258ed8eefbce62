"""Files of other programs as swap models, with planted graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceswap import geometry
from faceswap.convert.sources import with_sources
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces import arcface
from faceswap.models.onnx_model import OnnxModel
from faceswap.models.swap_model import SwapModel
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import CropSpec

SIZE = 64
DIM = 8


def write_graph(
    path: Path, inputs: dict[str, list], outputs: dict[str, list], nodes: list, weights: dict[str, NDArray]
) -> Path:
    def values(shapes: dict[str, list]) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "planted", values(inputs), values(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_dfm(
    path: Path, names: tuple[str, str, str] = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
) -> Path:
    """A DFM that halves blue, and whose masks are the red and the green channel."""
    node = helper.make_node
    nodes = [
        node("Mul", ["in_face:0", "half_of_blue"], [names[1]]),
        node("Split", ["in_face:0", "ones"], ["b", "g", "r"], axis=3),
        node("Identity", ["r"], [names[0]]),
        node("Identity", ["g"], [names[2]]),
    ]
    weights = {"half_of_blue": np.array([0.5, 1, 1], np.float32), "ones": np.array([1, 1, 1], np.int64)}
    shapes = {name: [1, SIZE, SIZE, channels] for name, channels in zip(names, (1, 3, 1), strict=True)}
    return write_graph(path, {"in_face:0": [1, SIZE, SIZE, 3]}, shapes, nodes, weights)


def write_inswapper(path: Path, emap: NDArray[np.float32]) -> Path:
    """A file of inswapper's kind whose output is 0.5 plus a tenth of what "source" holds at place 0, everywhere."""
    node = helper.make_node
    nodes = [
        node("Gather", ["source", "first"], ["value"], axis=1),
        node("Mul", ["value", "tenth"], ["small"]),
        node("Reshape", ["small", "shape"], ["spot"]),
        node("Mul", ["target", "zero"], ["nothing"]),
        node("Add", ["nothing", "spot"], ["moved"]),
        node("Add", ["moved", "grey"], ["output"]),
    ]
    weights = {
        "first": np.array([0], np.int64),
        "tenth": np.array([0.1], np.float32),
        "shape": np.array([1, 1, 1, 1], np.int64),
        "zero": np.array([0], np.float32),
        "grey": np.array([0.5], np.float32),
        "emap": emap,  # the last one, as in the real file
    }
    inputs = {"target": [1, 3, SIZE, SIZE], "source": [1, DIM]}
    return write_graph(path, inputs, {"output": [1, 3, SIZE, SIZE]}, nodes, weights)


def patches(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_a_strangers_dfm_is_read_blue_first_and_by_position(tmp_path: Path) -> None:
    model = SwapModel.load(write_dfm(tmp_path / "Kim.dfm", ("a", "b_face", "c")), device="cpu")
    assert model.identities == ("Kim",)
    assert model.crop == CropSpec(SIZE, "whole_face", 0.0, "dfl-1")
    output = model.swap(patches(), to="Kim")
    torch.testing.assert_close(output.pixels, patches() * torch.tensor([1, 1, 0.5]).view(3, 1, 1))
    torch.testing.assert_close(output.mask, patches()[:, 1:2])


def test_dfm_crop_lies_where_deepfacelab_puts_the_five_points() -> None:
    points = geometry.apply(
        geometry.patch_from_canonical(CropSpec(1000, "whole_face", 0.0, "dfl-1")), SCHEMES[FIVE].template
    )
    expected = [(353.4, 392.9), (628.0, 392.9), (486.6, 540.2), (388.4, 687.5), (598.2, 687.5)]
    assert np.abs(points - expected).max() < 20  # the mean face of ours and theirs differ a little
    assert np.abs(points.mean(axis=0) - np.mean(expected, axis=0)).max() < 1


def test_inswapper_crop_is_arcfaces_with_a_border() -> None:
    crop = geometry.patch_from_canonical(CropSpec(128, "face", 0.0, "arcface-1"))
    encoder = geometry.fit_similarity(SCHEMES[FIVE].template, arcface._POINTS + 0.5)
    np.testing.assert_allclose(crop, geometry.compose(geometry.translation(8, 8), encoder), atol=0.05)


def test_inswapper_gets_the_vector_through_the_map_in_its_graph(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    emap = rng.normal(size=(DIM, DIM)).astype(np.float32)
    vector = rng.normal(size=DIM).astype(np.float32)
    vector /= np.linalg.norm(vector)
    file = SwapModel.load(write_inswapper(tmp_path / "inswapper.onnx", emap), device="cpu")
    assert isinstance(file, OnnxModel)
    assert file.wants_source
    assert file.crop == CropSpec(SIZE, "face", 0.0, "arcface-1")
    model = file.with_source("kim", vector)
    latent = vector @ emap / np.linalg.norm(vector @ emap)
    output = model.swap(patches(), to="kim")
    torch.testing.assert_close(output.pixels, torch.full((3, 3, SIZE, SIZE), 0.5 + 0.1 * float(latent[0])))
    assert output.mask is None
    assert model.manifest_sha256 != file.manifest_sha256 != file.with_source("kim", -vector).manifest_sha256


def test_inswapper_without_a_source_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    model = SwapModel.load(write_inswapper(tmp_path / "x.onnx", np.eye(DIM, dtype=np.float32)), device="cpu")
    with pytest.raises(UsageError, match="--source"):
        model.swap(patches(), to=model.identities[0])
    with pytest.raises(UsageError, match="--id-encoder"):
        with_sources([model], [tmp_path / "kim.jpg"], None, None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="8 numbers"):
        model.with_source("kim", np.ones(4, np.float32))  # type: ignore[attr-defined]


def test_source_for_a_model_that_holds_its_identity_is_refused(tmp_path: Path) -> None:
    model = SwapModel.load(write_dfm(tmp_path / "Kim.dfm"), device="cpu")
    with pytest.raises(UsageError, match="leave --source out"):
        with_sources([model], [tmp_path / "kim.jpg"], None, None)  # type: ignore[arg-type]
    assert with_sources([model], (), None, None) == [model]  # type: ignore[arg-type]


def test_picture_of_the_source_becomes_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vectors(references: dict, detector: object, encoder: object) -> dict:
        assert references == {"kim": [tmp_path / "kim.jpg", tmp_path / "kim2.jpg"]}
        return {"kim": np.eye(DIM, dtype=np.float32)[0]}

    monkeypatch.setattr("faceswap.convert.sources.reference_vectors", vectors)
    model = SwapModel.load(write_inswapper(tmp_path / "x.onnx", np.eye(DIM, dtype=np.float32)), device="cpu")
    pictures = [tmp_path / "kim.jpg", tmp_path / "kim2.jpg"]
    (found,) = with_sources([model], pictures, None, object())  # type: ignore[arg-type]
    assert found.identities == ("kim",)
    assert found.swap(patches(), to="kim").pixels.mean() == pytest.approx(0.6)


def test_other_files_are_refused_with_what_is_known(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    path = write_graph(tmp_path / "x.onnx", {"x": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]}, nodes, {})
    with pytest.raises(UnsupportedInputError, match=r"dfm .*inswapper .*x \(1, 3, 8, 8\)"):
        SwapModel.load(path, device="cpu")
    with pytest.raises(UsageError, match="cannot read"):
        SwapModel.load(tmp_path / "gone.dfm", device="cpu")
