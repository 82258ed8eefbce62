from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dense_faces import dense_face
from makers import face_at
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import UsageError
from faceswap.faces.align import canonical_landmarks
from faceswap.masks.regions import REGIONS, region_mask, require_regions, steadied
from faceswap.schemes import FIVE, IBUG68, SCHEMES
from faceswap.types import CropSpec, Face

CROP = CropSpec(128, "whole_face")
FRONTAL = SCHEMES[FIVE].template


def centre(mask: NDArray) -> NDArray[np.float64]:
    """Return the middle of a mask in template coordinates."""
    y, x = np.indices(mask.shape[1:]) + 0.5
    middle = np.array([[(x * mask[0]).sum(), (y * mask[0]).sum()]]) / mask.sum()
    return geometry.apply(geometry.invert(geometry.patch_from_canonical(CROP)), middle)[0]


@pytest.mark.parametrize("region", [r for r in REGIONS if r != "teeth"])
@pytest.mark.parametrize("scheme", [FIVE, IBUG68])
def test_region_is_a_soft_mask_away_from_the_patchs_edge(region: str, scheme: str) -> None:
    points = FRONTAL if scheme == FIVE else dense_face()
    mask = region_mask(points, CROP, [region], scheme)
    assert mask.shape == (1, 128, 128)
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    assert mask.max() > 0.9
    assert ((mask > 0.05) & (mask < 0.95)).any()
    assert max(mask[0, 0].max(), mask[0, -1].max(), mask[0, :, 0].max(), mask[0, :, -1].max()) == 0


@pytest.mark.parametrize("region", [r for r in REGIONS if r != "teeth"])
def test_regions_of_five_and_of_68_points_lie_at_the_same_place(region: str) -> None:
    five, dense = region_mask(FRONTAL, CROP, [region], FIVE), region_mask(dense_face(), CROP, [region], IBUG68)
    np.testing.assert_allclose(centre(five), centre(dense), atol=0.12)


def test_several_regions_are_their_union() -> None:
    both = region_mask(FRONTAL, CROP, ["eyes", "mouth"], FIVE)
    single = [region_mask(FRONTAL, CROP, [region], FIVE) for region in ("eyes", "mouth")]
    np.testing.assert_allclose(both, np.maximum(*single), atol=0.02)


def test_region_moves_smoothly_with_its_points() -> None:
    """A shift by a tenth of a px shows: edges do not jump from px to px, which would flicker."""
    px = 1 / geometry.scale_of(geometry.patch_from_canonical(CROP))
    places = [
        centre(region_mask(dense_face() + np.array([share * px, 0]), CROP, ["mouth"], IBUG68))[0] / px
        for share in (0, 0.1, 0.2, 0.3)
    ]
    np.testing.assert_allclose(np.diff(places), 0.1, atol=0.03)


def test_mouth_of_68_points_opens_with_the_lips() -> None:
    closed, opened = dense_face(), dense_face(mouth_open=0.5)
    areas = [region_mask(points, CROP, ["mouth"], IBUG68).sum() for points in (closed, opened)]
    assert areas[1] > 1.4 * areas[0]


def test_teeth_need_points_of_the_lips() -> None:
    with pytest.raises(UsageError, match=r"teeth cannot be kept with the 5 points .* keep the mouth"):
        require_regions(["eyes", "teeth"], FIVE)
    require_regions(["eyes", "mouth"], FIVE)
    require_regions(["teeth"], IBUG68)
    inside = region_mask(dense_face(mouth_open=0.5), CROP, ["teeth"], IBUG68)
    mouth = region_mask(dense_face(mouth_open=0.5), CROP, ["mouth"], IBUG68)
    assert 0 < inside.sum() < mouth.sum()
    assert (inside <= mouth + 0.02).all()


def track(paths: NDArray[np.float64]) -> dict[int, list[Face]]:
    """Return one track of faces whose landmarks lie beside the mean face's by (T, 5, 2) template units."""
    faces = {}
    for frame, shift in enumerate(paths):
        face = face_at(100 + frame, 80, 40, frame=frame)
        assert face.frame_from_canonical is not None
        faces[frame] = [replace(face, landmarks=geometry.apply(face.frame_from_canonical, FRONTAL + shift))]
    return faces


def found(chosen: dict[int, list[Face]]) -> NDArray[np.float64]:
    return np.array([canonical_landmarks(face) - FRONTAL for faces in chosen.values() for face in faces])


def test_steadied_landmarks_lose_noise_and_keep_a_steady_movement() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (60, 5, 2))
    drift = np.linspace(0, 0.5, 60)[:, None, None] * np.ones((1, 5, 2))
    errors = found(steadied(track(drift + noise)))[3:-3] - drift[3:-3]
    assert errors.std() < 0.75 * noise[3:-3].std()
    np.testing.assert_allclose(found(steadied(track(drift))), drift, atol=1e-9)


def test_steadied_landmarks_do_not_lag_behind_a_jump() -> None:
    """A lid falls within one frame: before and after it the points stay where they were."""
    path = np.random.default_rng(1).normal(0, 0.002, (40, 5, 2))
    path[20:, 0, 1] += 0.2
    steady = found(steadied(track(path)))[:, 0, 1]
    assert np.abs(steady[:20]).max() < 0.02
    assert np.abs(steady[20:] - 0.2).max() < 0.02


def test_short_and_unaligned_tracks_stay_as_they_are() -> None:
    short = track(np.random.default_rng(2).normal(0, 0.01, (4, 5, 2)))
    np.testing.assert_allclose(found(steadied(short)), found(short), atol=1e-12)
    loose = {0: [replace(short[0][0], frame_from_canonical=None)]}
    assert steadied(loose)[0][0].landmarks is loose[0][0].landmarks
