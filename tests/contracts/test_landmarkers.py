"""What every landmarker that can be had promises (`faceswap.faces.base.Landmarker`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from makers import detector
from onnx_files import planted, write
from shared_networks import shared_networks
from skimage.data import astronaut

from faceswap import geometry, resample
from faceswap.faces.base import Landmarker
from faceswap.faces.pose import frame_from_network_view
from faceswap.faces.registry import make_landmarker
from faceswap.schemes import FIVE, SCHEMES, anchors_of

PLANTED = ("facemesh", "heatmap66", "insight106")
POINTS = np.array([[203.6, 102], [246.8, 104], [224, 128.5], [202, 139.5], [246, 142]])
"""Eyes, nose tip and mouth corners in the photograph, measured by eye."""


def planted_file(kind: str, folder: Path) -> str:
    """A file of a kind that answers nonsense: enough for shapes and ranges."""
    values = {
        "facemesh": planted({"points": np.zeros((1, 1404))}, (1, 192, 192, 3)),
        "heatmap66": planted({"maps": np.zeros((1, 198, 28, 28))}, (1, 3, 224, 224)),
        "insight106": planted({"values": np.zeros((1, 212))}, (1, 3, 192, 192)),
    }
    return write(folder / f"{kind}.onnx", values[kind])


@pytest.fixture(scope="module", params=[*PLANTED, *shared_networks("landmarker")])
def landmarker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Landmarker:
    name = request.param
    if name in PLANTED:
        name = planted_file(name, tmp_path_factory.mktemp("planted"))
    return make_landmarker(name, threads=1)


@pytest.fixture(scope="module", params=shared_networks("landmarker"))
def real(request: pytest.FixtureRequest) -> Landmarker:
    return make_landmarker(request.param, threads=1)


def view_of(landmarker: Landmarker, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the network is shown of the picture's face, and patch-from-picture."""
    face = detector().detect(picture[None])[0][0]
    matrix = geometry.compose(
        landmarker.patch_from_canonical, geometry.invert(frame_from_network_view(face.landmarks, FIVE))
    )
    return resample.warp(picture, matrix, (landmarker.size, landmarker.size)), matrix


def test_name_carries_a_version(landmarker: Landmarker) -> None:
    assert any(character.isdigit() for character in landmarker.name)


def test_its_view_is_a_similarity_that_shows_the_whole_face(landmarker: Landmarker) -> None:
    matrix = landmarker.patch_from_canonical
    np.testing.assert_allclose(matrix[:, :2] @ matrix[:, :2].T, np.eye(2) * geometry.scale_of(matrix) ** 2, atol=1e-6)
    shown = geometry.apply(matrix, SCHEMES[FIVE].template)
    assert (shown > 0.2 * landmarker.size).all()
    assert (shown < 0.8 * landmarker.size).all()


def test_each_patch_gets_the_points_of_the_scheme(landmarker: Landmarker) -> None:
    patches = np.full((3, landmarker.size, landmarker.size, 3), 128, dtype=np.uint8)
    before = patches.copy()
    answers = landmarker.landmarks(patches)
    assert len(answers) == 3
    for points, sureness in answers:
        assert points.shape == (SCHEMES[landmarker.scheme].num_points, 2)
        assert np.isfinite(points).all()
        assert 0 <= sureness <= 1
    np.testing.assert_array_equal(patches, before)


def test_a_batch_equals_its_patches_one_by_one(real: Landmarker) -> None:
    first, _ = view_of(real, astronaut())
    batch = np.stack([first, np.ascontiguousarray(first[:, ::-1])])
    for (together, _), patch in zip(real.landmarks(batch), batch, strict=True):
        np.testing.assert_allclose(together, real.landmarks(patch[None])[0][0], atol=0.05)


def test_anchors_lie_where_eyes_nose_and_mouth_are(real: Landmarker) -> None:
    patch, matrix = view_of(real, astronaut())
    ((points, _),) = real.landmarks(patch[None])
    anchors = anchors_of(geometry.apply(geometry.invert(matrix), points), real.scheme)
    iod = np.hypot(*(POINTS[1] - POINTS[0]))
    assert np.hypot(*(anchors - POINTS).T).max() < 0.12 * iod


def test_points_stay_on_the_face_when_it_moves_in_the_view(real: Landmarker) -> None:
    patch, matrix = view_of(real, astronaut())
    moved = geometry.compose(geometry.translation(6.5, -4.5), matrix)
    shifted = resample.warp(astronaut(), moved, (real.size, real.size))
    (a, _), (b, _) = real.landmarks(np.stack([patch, shifted]))
    # A half-pixel mistake would show as (0.5, 0.5) in the mean.
    np.testing.assert_allclose((b - a).mean(axis=0), [6.5, -4.5], atol=1.2)
