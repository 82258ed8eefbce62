from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_files import pixel_reader, planted, write

from faceswap import geometry
from faceswap.errors import UnsupportedInputError
from faceswap.faces.registry import make_encoder
from faceswap.files import sha256_file
from faceswap.schemes import FIVE, SCHEMES

PLACES = [(y, x) for y in (0, 40, 111) for x in (0, 50, 111)] + [(7, 9), (100, 3)]


@pytest.mark.parametrize("subtracts_itself", [True, False])
def test_pictures_reach_the_network_as_rgb_around_zero(tmp_path: Path, subtracts_itself: bool) -> None:
    data = pixel_reader(PLACES, 112, subtract_first=subtracts_itself)
    encoder = make_encoder(write(tmp_path / "e.onnx", data), device="cpu")
    shown = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    seen = np.stack([shown[:, y, x] for y, x in PLACES], axis=1).reshape(3, -1).astype(np.float64) - 127.5
    expected = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    vectors = encoder.embed(shown)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_network_that_answers_nothing_gives_no_nan(tmp_path: Path) -> None:
    data = planted({"vector": np.zeros((1, 64))}, (1, 3, 112, 112))
    vectors = make_encoder(write(tmp_path / "e.onnx", data), device="cpu").embed(np.zeros((2, 112, 112, 3), np.uint8))
    assert vectors.shape == (2, 64)
    assert np.isfinite(vectors).all()


def test_encoders_know_the_hash_of_their_weights(tmp_path: Path) -> None:
    path = tmp_path / "e.onnx"
    encoder = make_encoder(write(path, pixel_reader(PLACES, 112)), device="cpu")
    assert encoder.sha256 == sha256_file(path)
    assert encoder.name == f"arcface-1-{encoder.sha256[:8]}"


def test_the_eyes_lie_where_such_networks_expect_them(tmp_path: Path) -> None:
    encoder = make_encoder(write(tmp_path / "e.onnx", pixel_reader(PLACES, 112)), device="cpu")
    points = geometry.apply(encoder.patch_from_canonical, SCHEMES[FIVE].template)
    np.testing.assert_allclose(points[0], [38.8, 52.2], atol=0.3)
    np.testing.assert_allclose(points[4], [71.2, 92.7], atol=0.3)


@pytest.mark.parametrize(
    "data",
    [
        planted({"vector": np.zeros((1, 64))}, (1, 3, 96, 96)),
        planted({"vector": np.zeros((1, 3))}, (1, 3, 112, 112)),
        planted({"a": np.zeros((1, 64)), "b": np.zeros((1, 64))}, (1, 3, 112, 112)),
    ],
)
def test_networks_of_other_shapes_are_no_encoders(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnsupportedInputError, match="no encoder of a known kind"):
        make_encoder(write(tmp_path / "e.onnx", data))
