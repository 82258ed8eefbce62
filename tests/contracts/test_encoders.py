"""What every identity encoder that can be had promises (`faceswap.faces.base.IdentityEncoder`)."""

from __future__ import annotations

import numpy as np
import pytest
from makers import detector
from onnx_files import pixel_reader, write
from shared_networks import shared_networks
from skimage.data import astronaut

from faceswap import geometry, resample
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import IdentityEncoder
from faceswap.faces.registry import make_encoder
from faceswap.schemes import FIVE, SCHEMES


@pytest.fixture(scope="module", params=["planted", *shared_networks("encoder")])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> IdentityEncoder:
    name = request.param
    if name == "planted":
        grid = [(y, x) for y in range(4, 112, 8) for x in range(4, 112, 8)]
        name = write(tmp_path_factory.mktemp("planted") / "e.onnx", pixel_reader(grid, 112))
    return make_encoder(name, threads=1)


def patch_of(encoder: IdentityEncoder, picture: np.ndarray) -> np.ndarray:
    face = detector().detect(picture[None])[0][0]
    matrix = geometry.compose(encoder.patch_from_canonical, geometry.invert(frame_from_canonical(face.landmarks, FIVE)))
    return resample.warp(picture, matrix, (encoder.size, encoder.size))


def test_vectors_have_length_one(encoder: IdentityEncoder) -> None:
    patches = np.random.default_rng(0).integers(0, 256, (3, encoder.size, encoder.size, 3), dtype=np.uint8)
    vectors = encoder.embed(patches)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == 3
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_batch_equals_its_patches_one_by_one(encoder: IdentityEncoder) -> None:
    patches = np.random.default_rng(1).integers(0, 256, (2, encoder.size, encoder.size, 3), dtype=np.uint8)
    alone = np.concatenate([encoder.embed(patch[None]) for patch in patches])
    np.testing.assert_allclose(encoder.embed(patches), alone, atol=1e-4)


def test_a_face_is_most_like_itself_in_other_light(encoder: IdentityEncoder) -> None:
    face = patch_of(encoder, astronaut())
    darker = (face * 0.95).astype(np.uint8)
    other = np.ascontiguousarray(face[::-1])
    same, different = encoder.embed(np.stack([face, darker, other]))[1:] @ encoder.embed(face[None])[0]
    assert same > 0.9
    assert same > different


def test_its_view_shows_the_face(encoder: IdentityEncoder) -> None:
    shown = geometry.apply(encoder.patch_from_canonical, SCHEMES[FIVE].template)
    assert (shown > 0.2 * encoder.size).all()
    assert (shown < 0.9 * encoder.size).all()


def test_name_and_hash_tell_which_file_it_is(encoder: IdentityEncoder) -> None:
    assert len(encoder.sha256) == 64
    assert encoder.sha256[:8] in encoder.name
