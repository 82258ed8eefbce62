"""Files of other programs as swap models, with planted graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from swap_files import DIM, SIZE, write_dfm, write_graph, write_inswapper

from faceswap import geometry
from faceswap.convert.sources import with_sources
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces import arcface
from faceswap.models.onnx_model import OnnxModel
from faceswap.models.swap_model import SwapModel
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import CropSpec


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
    with pytest.raises(UsageError, match="33 numbers"):
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


@pytest.mark.parametrize(("key", "is_taken"), [("crop", False), ("consent_ids", True)])
def test_metadata_nested_without_end_are_refused_or_passed_over(tmp_path: Path, key: str, is_taken: bool) -> None:
    path = write_dfm(tmp_path / "Kim.dfm", ("a", "b_face", "c"))
    planted = onnx.load(path)
    helper.set_model_props(planted, {key: "[" * 200_000})
    onnx.save(planted, path)
    if is_taken:
        assert SwapModel.load(path, device="cpu").consents == {"Kim": ()}
    else:
        with pytest.raises(UnsupportedInputError, match="cannot be used as a model"):
            SwapModel.load(path, device="cpu")
