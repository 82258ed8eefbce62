"""Files of restoration networks, made of a few nodes: what they take, how they are told apart, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx_files import Shape, planted, restorer_file, write

from faceswap import geometry
from faceswap.errors import UnsupportedInputError
from faceswap.faces.graph import read_graph
from faceswap.faces.network_files import NetworkFile, recognise
from faceswap.faces.registry import make_restorer
from faceswap.faces.restorers import Restorer, drawn_face
from faceswap.schemes import FIVE, SCHEMES


def pictures(side: int = 128) -> NDArray[np.float32]:
    """Return one soft picture whose values are far enough from black and white."""
    return (0.3 + 0.6 * drawn_face(side))[None].astype(np.float32)


def made(path: str) -> Restorer:
    network = make_restorer(path, device="cpu")
    assert isinstance(network, Restorer)
    return network


@pytest.mark.parametrize(("lowest", "signed", "change"), [(-1.0, True, 0.125), (0.0, False, 0.25)])
def test_what_it_takes_for_black_is_found_out(tmp_path: Path, lowest: float, signed: bool, change: float) -> None:
    network = made(restorer_file(tmp_path / "r.onnx", lowest=lowest))
    assert network.is_signed is signed
    np.testing.assert_allclose(network.restore(pictures(), 1.0), pictures() - change, atol=1e-5)


@pytest.mark.parametrize(
    "weight", [("w", TensorProto.DOUBLE, ()), ("weight", TensorProto.FLOAT, (1,)), ("w", TensorProto.DOUBLE, ("n",))]
)
def test_a_second_input_says_how_faithful_it_is(tmp_path: Path, weight: tuple[str, int, Shape]) -> None:
    network = made(restorer_file(tmp_path / "r.onnx", weight=weight))
    for faithfulness in (0.0, 0.4, 1.0):
        wanted = pictures() - 0.125 * faithfulness
        np.testing.assert_allclose(network.restore(pictures(), faithfulness), wanted, atol=1e-5)


def test_half_precision_files_are_fed_with_halves(tmp_path: Path) -> None:
    network = made(restorer_file(tmp_path / "r.onnx", element=TensorProto.FLOAT16))
    np.testing.assert_allclose(network.restore(pictures(), 1.0), pictures() - 0.125, atol=2e-3)


@pytest.mark.parametrize(("side", "size"), [(256, 256), (512, 512), ("side", 512)])
def test_faces_are_framed_as_in_ffhq_at_any_size(tmp_path: Path, side: int | str, size: int) -> None:
    network = made(restorer_file(tmp_path / "r.onnx", side))
    assert network.size == size
    left, right, nose, *mouth = geometry.apply(network.patch_from_canonical, SCHEMES[FIVE].template) / size
    assert right[0] - left[0] == pytest.approx(0.246, abs=0.015)
    assert left[1] == pytest.approx(0.469, abs=0.015)
    assert nose[0] == pytest.approx(0.501, abs=0.01)
    assert np.mean(mouth, axis=0)[1] == pytest.approx(0.725, abs=0.02)
    assert network.restore(pictures(size), 1.0).shape == (1, 3, size, size)


def test_it_may_enlarge(tmp_path: Path) -> None:
    network = made(restorer_file(tmp_path / "r.onnx", times=2))
    assert network.restore(pictures(), 1.0).shape == (1, 3, 256, 256)


def test_several_pictures_go_one_by_one_where_the_batch_is_fixed(tmp_path: Path) -> None:
    network = made(restorer_file(tmp_path / "r.onnx"))
    several = np.concatenate([pictures(), pictures() * 0.9, pictures() * 0.8])
    assert network.restore(several, 1.0).shape == several.shape


def test_such_files_are_recognised(tmp_path: Path) -> None:
    file = Path(restorer_file(tmp_path / "r.onnx", 512, weight=("w", TensorProto.DOUBLE, ())))
    assert recognise(NetworkFile("r", file.read_bytes())) == ("restorer", "restorer-1")


def test_pictures_are_the_first_input_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    graph = read_graph(Path(restorer_file(tmp_path / "r.onnx", weight=("w", TensorProto.DOUBLE, ()))).read_bytes(), "r")
    assert [(slot.name, slot.dtype) for slot in graph.inputs] == [("pictures", "float32"), ("w", "float64")]


@pytest.mark.parametrize(
    ("shown", "given"),
    [
        ((1, 3, 64, 64), (1, 3, 64, 64)),
        ((1, 3, 512, 384), (1, 3, 512, 384)),
        ((1, 3, 512, 512), (1, 3, 300, 300)),
        ((1, 3, 512, 512), (1, 19, 512, 512)),
        ((1, 4, 512, 512), (1, 4, 512, 512)),
    ],
)
def test_networks_of_another_kind_are_refused(tmp_path: Path, shown: Sequence[int], given: Sequence[int]) -> None:
    file = write(tmp_path / "r.onnx", planted({"out": np.zeros(given, np.float32)}, shown))
    with pytest.raises(UnsupportedInputError, match="no restorer of a known kind; known: restorer-1"):
        make_restorer(file, device="cpu")


def test_a_network_that_answers_with_nothing_is_refused(tmp_path: Path) -> None:
    grey = write(tmp_path / "grey.onnx", planted({"out": np.zeros((1, 3, 128, 128))}, (1, 3, 128, 128)))
    with pytest.raises(UnsupportedInputError, match=r"restores no faces: .* 3x128x128 of one value"):
        make_restorer(grey, device="cpu")
    wild = write(tmp_path / "nan.onnx", planted({"out": np.full((1, 3, 128, 128), np.nan)}, (1, 3, 128, 128)))
    with pytest.raises(UnsupportedInputError, match="no finite numbers"):
        make_restorer(wild, device="cpu")


def test_swappers_that_take_a_face_beside_the_picture_are_refused(tmp_path: Path) -> None:
    path = Path(restorer_file(tmp_path / "r.onnx", weight=("source", TensorProto.FLOAT, (1, 512))))
    with pytest.raises(UnsupportedInputError, match="does not take one batch of pictures"):
        make_restorer(str(path), device="cpu")
