"""Segmentation files of both kinds, made of a few nodes: every number of the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from onnx_files import graph_bytes, planted, write

from faceswap import geometry
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.base import Segmenter
from faceswap.faces.registry import make_segmenter
from faceswap.faces.segmenters import FaceParser, XSeg
from faceswap.schemes import FIVE, SCHEMES

CLASSES = {"background": 0, "skin": 1, "eye": 4, "glasses": 6, "ear": 7, "nose": 10, "lip": 12, "neck": 14, "hair": 17}


def xseg_file(path: Path, side: int | str = 32, batch: int | str = "n") -> str:
    """A network whose mask is the blue of its picture."""
    weights = {"first": np.array([0], np.int64), "stop": np.array([1], np.int64), "axis": np.array([3], np.int64)}
    node = helper.make_node("Slice", ["pictures", "first", "stop", "axis"], ["out_mask"])
    shapes = {"out_mask": (batch, side, side, 1)}
    return write(path, graph_bytes([node], (batch, side, side, 3), shapes, weights))


def parsing_file(path: Path, winner: int, side: int = 64) -> str:
    """A network that is sure of one class in the left half and says background in the right one."""
    scores = np.zeros((1, 19, side, side), dtype=np.float32)
    scores[:, winner, :, : side // 2] = 20
    scores[:, 0, :, side // 2 :] = 20
    return write(path, planted({"scores": scores, "deeper": scores}, (1, 3, side, side)))


def colors(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("batch", [1, "n"])
def test_xseg_takes_bgr_from_0_to_1(tmp_path: Path, batch: int | str) -> None:
    network = make_segmenter(xseg_file(tmp_path / "x.onnx", batch=batch), device="cpu")
    assert isinstance(network, XSeg)
    pictures = colors(3, 32)
    np.testing.assert_allclose(network.segment(pictures), pictures[..., 2] / 255, atol=1e-6)


def test_xseg_sees_the_whole_face_at_256_px_where_its_size_is_open(tmp_path: Path) -> None:
    network = make_segmenter(xseg_file(tmp_path / "x.onnx", side="side"), device="cpu")
    assert network.size == 256
    points = geometry.apply(network.patch_from_canonical, SCHEMES[FIVE].template)
    assert (points > 0.2 * 256).all()
    assert (points < 0.8 * 256).all()


@pytest.mark.parametrize(
    ("part", "is_face"),
    [("skin", 1), ("eye", 1), ("nose", 1), ("lip", 1), ("ear", 0), ("neck", 0), ("hair", 0), ("background", 0)],
)
def test_parsing_keeps_the_parts_of_the_face(tmp_path: Path, part: str, is_face: int) -> None:
    network = make_segmenter(parsing_file(tmp_path / "p.onnx", CLASSES[part]), device="cpu")
    assert isinstance(network, FaceParser)
    mask = network.segment(colors(2, 64))
    assert mask.shape == (2, 64, 64)
    assert mask.dtype == np.float32
    np.testing.assert_allclose(mask[..., :32], is_face, atol=1e-6)
    np.testing.assert_allclose(mask[..., 32:], 0, atol=1e-6)


@pytest.mark.parametrize("glasses", [True, False])
def test_glasses_belong_to_the_face_or_not(tmp_path: Path, glasses: bool) -> None:
    file = parsing_file(tmp_path / "p.onnx", CLASSES["glasses"])
    network = make_segmenter(file, glasses=glasses, device="cpu")
    np.testing.assert_allclose(network.segment(colors(1, 64))[..., :32], glasses, atol=1e-6)
    assert network.name.endswith("-no-glasses") is not glasses


def test_parsing_takes_pictures_without_imagenets_mean(tmp_path: Path) -> None:
    """Class 1 wins where the normalised red is above 0: that is, above 0.485 of white."""
    weights = {
        "first": np.array([0], np.int64),
        "stop": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "pads": np.array([0, 1, 0, 0, 0, 17, 0, 0], np.int64),
        "gain": np.array(1000, np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["pictures", "first", "stop", "axis"], ["red"]),
        helper.make_node("Mul", ["red", "gain"], ["loud"]),
        helper.make_node("Pad", ["loud", "pads"], ["scores"]),
    ]
    data = graph_bytes(nodes, (1, 3, 16, 16), {"scores": (1, 19, 16, 16)}, weights)
    network = make_segmenter(write(tmp_path / "p.onnx", data), device="cpu")
    picture = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    picture[:, :8, :, 0] = round(0.485 * 255) + 3
    picture[:, 8:, :, 0] = round(0.485 * 255) - 3
    mask = network.segment(picture)[0]
    assert mask[:8].min() > 0.99
    assert mask[8:].max() < 0.6  # a tie of the others: eight of nineteen are parts of the face


def test_segmenters_keep_the_contract(tmp_path: Path) -> None:
    for file in (xseg_file(tmp_path / "x.onnx"), parsing_file(tmp_path / "p.onnx", 1)):
        network: Segmenter = make_segmenter(file, device="cpu")
        assert network.name
        assert network.patch_from_canonical.shape == (2, 3)
        mask = network.segment(colors(2, network.size))
        assert mask.shape == (2, network.size, network.size)
        assert 0 <= mask.min() <= mask.max() <= 1


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match=r"no segmenter of a known kind.*xseg-1.*parsing-1"):
        make_segmenter(write(tmp_path / "v.onnx", planted({"vector": np.zeros((1, 512))}, (1, 3, 112, 112))))
    with pytest.raises(UsageError, match="no such file"):
        make_segmenter(str(tmp_path / "missing.onnx"))
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(UnsupportedInputError, match="not an ONNX file"):
        make_segmenter(str(tmp_path / "text.onnx"))
