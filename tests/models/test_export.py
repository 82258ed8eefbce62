"""Exported files, as other programs and our own conversion read them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from makers import tiny_consent, tiny_model

from faceswap.errors import ConsentError, FaceswapError, UsageError
from faceswap.models import export
from faceswap.models.export import ExportReport, export_model, require_dfm
from faceswap.models.onnx_model import OnnxModel
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.consent_store import ConsentStore

pytest.importorskip("onnxscript", reason="exporting needs the extra `export`")
NETWORKS = {
    "df": {"name": "df", "options": "ud"},
    "amp": {"name": "amp", "morph_dim": 32},
    "hd": {"name": "hd"},
}
DIMS = {"size": 64, "encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4}
CROP = {"coverage": "whole_face", "margin": 0.0, "template": "dfl-1"}


def load(folder: Path, network: str) -> SwapModel:
    values = {**DIMS, **NETWORKS[network]}
    return SwapModel.load(
        tiny_model(folder, ("anna", "bert"), network=values, crop=CROP), device="cpu", precision="fp32"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return load(tmp_path_factory.mktemp("model"), "df")


@pytest.fixture(scope="module")
def dfm(model: SwapModel, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export_model(model, tmp_path_factory.mktemp("dfm") / "x.dfm", to="bert")


def patches(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_other_programs_find_the_names_the_order_and_the_fixed_sizes_of_a_dfm(dfm: ExportReport) -> None:
    graph = onnx.load(dfm.path).graph
    assert [value.name for value in graph.input] == ["in_face:0"]
    assert [value.name for value in graph.output] == ["out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0"]
    for value, channels in zip((*graph.input, *graph.output), (3, 1, 3, 1), strict=True):
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [1, 64, 64, channels]


def test_a_dfm_gives_blue_first_what_the_model_gives_red_first(dfm: ExportReport, model: SwapModel) -> None:
    patch = patches(1)
    bgr = patch.numpy()[:, ::-1].transpose(0, 2, 3, 1)
    session = onnxruntime.InferenceSession(dfm.path.read_bytes())
    target_mask, face, mask = session.run(None, {"in_face:0": np.ascontiguousarray(bgr)})
    expected, target = model.swap(patch, to="bert"), model.swap(patch, to="anna")
    np.testing.assert_allclose(face[..., ::-1].transpose(0, 3, 1, 2), expected.pixels, atol=1e-4)
    np.testing.assert_allclose(mask.transpose(0, 3, 1, 2), expected.mask, atol=1e-4)
    np.testing.assert_allclose(target_mask.transpose(0, 3, 1, 2), target.mask, atol=1e-4)
    assert dfm.max_difference < 1e-4


def test_the_file_says_what_it_is_and_nothing_of_where_it_was_made(dfm: ExportReport, model: SwapModel) -> None:
    facts = {entry.key: entry.value for entry in onnx.load(dfm.path).metadata_props}
    assert json.loads(facts["identities"]) == ["anna", "bert"]
    assert (facts["identity"], facts["face_type"], facts["color_order"]) == ("bert", "whole_face", "BGR")
    assert json.loads(facts["crop"]) == CROP
    assert facts["model_sha256"] == model.manifest_sha256
    assert json.loads(facts["consent_ids"]) == [tiny_consent("bert").record_id]
    assert str(Path(export.__file__).parent).encode() not in dfm.path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".dfm", ".onnx"])
@pytest.mark.parametrize("network", NETWORKS)
def test_an_exported_file_is_a_model_that_swaps_like_its_own(network: str, suffix: str, tmp_path: Path) -> None:
    model = load(tmp_path / "model", network)
    export_model(model, tmp_path / f"x{suffix}")
    again = SwapModel.load(tmp_path / f"x{suffix}", device="cpu")
    assert isinstance(again, OnnxModel)
    assert (again.identities, again.crop) == (("anna",), model.crop)
    for morph in (0.4, 1.0) if network == "amp" else (1.0,):
        expected, found = (each.swap(patches(3), to="anna", morph=morph) for each in (model, again))
        torch.testing.assert_close(found.pixels, expected.pixels, atol=1e-4, rtol=0)
        torch.testing.assert_close(found.mask, expected.mask, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        again.rebuild_scores(patches()), model.rebuild_scores(patches())[:, :1], atol=1e-3, rtol=0
    )


def test_models_of_files_go_to_other_processes(dfm: ExportReport) -> None:
    model = SwapModel.load(dfm.path, device="cpu")
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again.swap(patches(), to="bert").pixels, model.swap(patches(), to="bert").pixels)


@pytest.mark.slow
def test_half_precision_halves_the_file_and_stays_near(model: SwapModel, dfm: ExportReport, tmp_path: Path) -> None:
    half = export_model(model, tmp_path / "half.dfm", to="bert", fp16=True)
    assert half.bytes < 0.75 * dfm.bytes
    assert 0 < half.max_difference < 0.02
    assert half.inputs == dfm.inputs


@pytest.mark.slow
def test_crop_that_other_programs_do_not_cut_is_said(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", crop={"coverage": "face"})
    report = export_model(SwapModel.load(folder, device="cpu", precision="fp32"), tmp_path / "x.dfm")
    assert "dfl-1" in report.notes[0]


def test_crop_that_they_cut_needs_no_note(dfm: ExportReport) -> None:
    assert dfm.notes == ()


@pytest.mark.parametrize(("name", "to", "words"), [("x.pth", None, ".dfm or .onnx"), ("x.dfm", "carl", "'carl'")])
def test_what_cannot_be_exported_is_refused(
    model: SwapModel, tmp_path: Path, name: str, to: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export_model(model, tmp_path / name, to=to)


def test_existing_file_is_kept(model: SwapModel, tmp_path: Path) -> None:
    (tmp_path / "x.dfm").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        export_model(model, tmp_path / "x.dfm")
    assert (tmp_path / "x.dfm").read_text() == "mine"


@pytest.mark.slow
def test_file_that_differs_from_the_model_is_not_written(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_compared", lambda *_: (0.2, {}, {}))
    with pytest.raises(FaceswapError, match=r"differs from the model by 0\.2"):
        export_model(model, tmp_path / "x.dfm")
    assert not (tmp_path / "x.dfm").exists()


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"in_face": (1, 64, 64, 3)}, None),
        ({"in_face:0": ("b", 64, 64, 3)}, None),
        ({"in_face:0": (1, 64, 64, 3)}, ["out_celeb_face:0", "out_face_mask:0", "out_celeb_face_mask:0"]),
    ],
    ids=["name", "free size", "order"],
)
def test_files_that_readers_of_dfm_would_not_take_are_noticed(inputs: dict, outputs: list[str] | None) -> None:
    names = outputs or ["out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0"]
    shapes = {name: (1, 64, 64, 3 if name == "out_celeb_face:0" else 1) for name in names}
    with pytest.raises(FaceswapError, match="no DFM"):
        require_dfm(inputs, shapes)


def test_an_export_names_its_consent_and_is_refused_once_that_is_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    store, record = ConsentStore.of_user(), tiny_consent("bert")
    store.add(record)
    folder = tiny_model(tmp_path / "model", ("anna", "bert"), network={**DIMS, **NETWORKS["df"]}, crop=CROP)
    model = SwapModel.load(folder, device="cpu", precision="fp32")
    report = export_model(model, tmp_path / "x.onnx", to="bert")
    assert SwapModel.load(report.path, device="cpu").consents == {"bert": (record,)}
    revoked = store.revoke(record.record_id, "me", "")
    assert SwapModel.load(report.path, device="cpu").consents == {"bert": (revoked,)}
    with pytest.raises(ConsentError, match="was revoked on"):
        export_model(model, tmp_path / "y.onnx", to="bert")
    assert not (tmp_path / "y.onnx").exists()


def test_an_export_needs_its_folder(model: SwapModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        export_model(model, tmp_path / "no" / "x.dfm")
