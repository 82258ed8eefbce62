"""Files of each kind of landmarker, planted: every number of the answer is known."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from onnx_files import graph_bytes, planted, write

from faceswap.errors import FaceswapError, UnsupportedInputError
from faceswap.faces import fan, heatmap66, registry
from faceswap.faces.registry import make_landmarker
from faceswap.schemes import IBUG68, INSIGHT106, LM66, MESH468


def patches(size: int, count: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_facemesh_gives_x_and_y_in_px_of_its_patch(tmp_path: Path) -> None:
    values = np.arange(1404, dtype=np.float32).reshape(1, 1, 1, 1404) / 8
    mesh = make_landmarker(write(tmp_path / "m.onnx", planted({"points": values}, (1, 192, 192, 3))), device="cpu")
    assert (mesh.scheme, mesh.size) == (MESH468, 192)
    ((points, sureness), _) = mesh.landmarks(patches(192, 2))
    np.testing.assert_allclose(points, values.reshape(468, 3)[:, :2])
    assert sureness == 1.0


def test_facemesh_with_a_face_flag_says_how_sure_it_is(tmp_path: Path) -> None:
    outputs = {"points": np.zeros((1, 468, 3)), "flag": np.full((1, 1), np.log(3))}
    mesh = make_landmarker(write(tmp_path / "m.onnx", planted(outputs, (1, 3, 256, 256))), device="cpu")
    assert mesh.size == 256
    assert mesh.landmarks(patches(256))[0][1] == pytest.approx(0.75)


def maps66(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Heat maps of 28 x 28 whose peaks and offsets say (columns, rows) in cells; both (66,)."""
    heat, offset_y, offset_x = np.zeros((66, 28, 28)), np.full((66, 28, 28), 0.5), np.full((66, 28, 28), 0.5)
    for i, (x, y) in enumerate(zip(columns, rows, strict=True)):
        cell = round(y), round(x)
        heat[i][cell] = 0.8
        for offset, part in ((offset_y, y - cell[0]), (offset_x, x - cell[1])):
            offset[i][cell] = 1 / (1 + np.exp(-16 * part / 27))
    return np.concatenate([heat, offset_y, offset_x])


def test_heat_maps_of_66_points_are_read_to_fractions_of_a_cell(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    columns, rows = random.uniform(0, 27, 66), random.uniform(0, 27, 66)
    data = planted({"maps": maps66(columns, rows)[None]}, (1, 3, 224, 224))
    marks = make_landmarker(write(tmp_path / "h.onnx", data), device="cpu")
    assert (marks.scheme, marks.size) == (LM66, 224)
    ((points, sureness),) = marks.landmarks(patches(224))
    # The middle of the first cell is the middle of the first pixel.
    np.testing.assert_allclose(points, np.stack([columns, rows], axis=1) / 27 * 223 + 0.5, atol=1e-3)
    assert sureness == pytest.approx(0.8)


def test_a_heat_map_without_a_peak_makes_no_infinite_points() -> None:
    points, sureness = heatmap66.decoded(np.zeros((198, 28, 28)), 224)
    assert np.isfinite(points).all()
    assert sureness == 0


@pytest.mark.parametrize("subtracts_itself", [True, False])
def test_106_points_span_the_patch_from_minus_one_to_one(tmp_path: Path, subtracts_itself: bool) -> None:
    weights = {
        "mean": np.array([127.5], np.float32),
        "scale": np.array([1 / 128], np.float32),
        "ones": np.ones((1, 212), np.float32),
    }
    # All 212 values are the mean over the picture as the network sees it.
    steps = [("Sub", ["pictures", "mean"], ["a"]), ("Mul", ["a", "scale"], ["b"])] if subtracts_itself else []
    nodes = [helper.make_node(*step) for step in steps]
    nodes += [
        helper.make_node("ReduceMean", ["b" if steps else "pictures"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["m"], ["n"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["n", "ones"], ["values"]),
    ]
    data = graph_bytes(nodes, ("n", 3, 192, 192), {"values": ("n", 212)}, weights)
    marks = make_landmarker(write(tmp_path / "i.onnx", data), device="cpu")
    assert (marks.scheme, marks.size) == (INSIGHT106, 192)
    shown = np.stack([np.full((192, 192, 3), level, np.uint8) for level in (0, 255)])
    (low, _), (high, _) = marks.landmarks(shown)
    np.testing.assert_allclose(low, 96 - 127.5 / 128 * 96 + 0.5, atol=1e-3)
    np.testing.assert_allclose(high, 96 + 127.5 / 128 * 96 + 0.5, atol=1e-3)


def fan_maps(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Heat maps of 64 x 64: soft peaks at (columns, rows) in cells, counted from the corner."""
    middle = np.arange(64) + 0.5
    across = np.exp(-((middle - columns[:, None]) ** 2) / 2)
    along = np.exp(-((middle - rows[:, None]) ** 2) / 2)
    return along[:, :, None] * across[:, None, :]


def test_fan_points_lie_within_a_quarter_of_a_cell_of_the_peak() -> None:
    random = np.random.default_rng(2)
    columns, rows = random.uniform(1, 63, 68), random.uniform(1, 63, 68)
    seen: list[torch.Tensor] = []

    def network(batch: torch.Tensor) -> list[torch.Tensor]:
        seen.append(batch)
        maps = torch.from_numpy(fan_maps(columns, rows)).float().expand(len(batch), -1, -1, -1)
        return [torch.zeros_like(maps), maps]

    marks = fan.Fan(network, "fan-1")
    shown = patches(256, 2)
    (points, sureness), (again, _) = marks.landmarks(shown)
    assert marks.scheme == IBUG68
    assert np.abs(points - np.stack([columns, rows], axis=1) * 4).max() <= 1 + 1e-6  # a quarter of a cell = 1 px
    np.testing.assert_array_equal(points, again)
    assert 0.7 < sureness <= 1
    np.testing.assert_allclose(seen[0].numpy(), shown.transpose(0, 3, 1, 2) / 255, atol=1e-6)


class TinyFan(torch.nn.Module):
    """Has the interface of face_alignment's FAN, and one weight for each point."""

    def __init__(self, num_modules: int) -> None:
        super().__init__()
        assert num_modules == 4
        self.level = torch.nn.Parameter(torch.zeros(68))

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        maps = torch.zeros(len(batch), 68, 64, 64)
        maps[:, :, 10, 20] = self.level
        return [maps]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    models: Any = ModuleType("face_alignment.models")
    models.FAN = TinyFan
    monkeypatch.setitem(sys.modules, "face_alignment", ModuleType("face_alignment"))
    monkeypatch.setitem(sys.modules, "face_alignment.models", models)


def saved(values: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()


@pytest.mark.usefixtures("package")
def test_fan_takes_its_weights_from_the_bytes() -> None:
    marks = fan.load_fan(saved({"level": torch.full((68,), 0.6)}), "weights", device="cpu")
    ((points, sureness),) = marks.landmarks(patches(256))
    np.testing.assert_allclose(points, np.tile([20.5 * 4, 10.5 * 4], (68, 1)))
    assert sureness == pytest.approx(0.6)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("data", [b"nothing", saved({"other": torch.zeros(3)}), saved(Path("x"))])
def test_other_weights_for_fan_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedInputError, match="does not hold the weights of FAN"):
        fan.load_fan(data, "weights", device="cpu")


def test_fan_without_its_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(FaceswapError, match=r'pip install "faceswap\[align\]"'):
        fan.load_fan(b"", "weights", device="cpu")


def test_missing_weights_of_fan_name_the_one_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path))
    with pytest.raises(FaceswapError, match="faceswap models fetch fan") as caught:
        registry.make_landmarker("fan")
    assert "the detector's own points are used" in str(caught.value)
