from __future__ import annotations

import numpy as np
import pytest
from dense_faces import dense_face
from numpy.typing import NDArray

from faceswap import geometry, masks
from faceswap.schemes import FIVE, IBUG68, SCHEMES
from faceswap.types import CropSpec, Matrix

CROP = CropSpec(128, "whole_face")
FRONTAL = SCHEMES[FIVE].template


def turned(nose_shift: float) -> NDArray[np.float64]:
    """Return the mean face with its nose moved sideways by inter-ocular distances, as a turned head shows it."""
    points = FRONTAL.copy()
    points[2, 0] += nose_shift
    return points


def square(side: int = 64, low: int = 16, high: int = 48) -> NDArray[np.float32]:
    mask = np.zeros((1, side, side), dtype=np.float32)
    mask[:, low:high, low:high] = 1
    return mask


@pytest.mark.parametrize("coverage", ["face", "whole_face", "head"])
def test_hull_holds_the_landmarks_and_not_the_corners(coverage: str) -> None:
    crop = CropSpec(128, coverage)  # type: ignore[arg-type]
    mask = masks.face_hull(FRONTAL, crop)[0]
    points = geometry.apply(geometry.patch_from_canonical(crop), FRONTAL).astype(int)
    assert (mask[points[:, 1], points[:, 0]] == 1).all()
    assert mask[0, 0] == mask[0, -1] == mask[-1, 0] == mask[-1, -1] == 0


def test_hull_is_a_soft_mask_of_the_documented_shape() -> None:
    mask = masks.face_hull(FRONTAL, CROP)
    assert mask.shape == (1, 128, 128)
    assert mask.dtype == np.float32
    assert mask.min() == 0
    assert mask.max() == 1
    assert ((mask > 0) & (mask < 1)).any()


def test_hull_does_not_depend_on_the_size_of_the_crop() -> None:
    small, large = (masks.face_hull(FRONTAL, CropSpec(size, "whole_face")).mean() for size in (64, 256))
    assert small == pytest.approx(large, abs=0.005)


def test_hull_of_a_turned_head_is_narrower_on_the_side_the_nose_points_to() -> None:
    frontal, right = masks.face_hull(FRONTAL, CROP)[0], masks.face_hull(turned(0.4), CROP)[0]
    middle = 64
    assert right[:, middle:].sum() < 0.9 * frontal[:, middle:].sum()
    assert right[:, :middle].sum() >= frontal[:, :middle].sum()


def test_hulls_of_mirrored_heads_are_mirrored() -> None:
    points = np.array([[-0.5, 0.0], [0.5, 0.0], [0.3, 0.57], [-0.4, 1.15], [0.4, 1.15]])
    mirrored = (points * [-1, 1])[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(masks.face_hull(mirrored, CROP), masks.face_hull(points, CROP)[..., ::-1], atol=1e-5)


def skin_picture(size: int = 128) -> NDArray[np.float32]:
    """Return a crop filled with slightly uneven skin."""
    noise = np.random.default_rng(0).normal(0, 0.01, (3, size, size))
    return (np.array([0.8, 0.6, 0.5]).reshape(3, 1, 1) + noise).astype(np.float32)


def test_mask_of_a_face_of_skin_is_its_hull() -> None:
    difference = masks.face_hull(FRONTAL, CROP) - masks.face_mask(FRONTAL, CROP, skin_picture())
    assert difference.min() >= 0
    assert difference.mean() < 0.02


def test_mask_of_68_points_is_the_hull_of_those() -> None:
    hull = masks.face_hull(dense_face(), CROP, IBUG68)
    difference = hull - masks.face_mask(dense_face(), CROP, skin_picture(), IBUG68)
    assert difference.min() >= 0
    assert difference.mean() < 0.02


def test_hair_over_the_forehead_leaves_the_mask() -> None:
    picture, hull = skin_picture(), masks.face_hull(FRONTAL, CROP)[0]
    top = int(np.flatnonzero(hull[:, 64] > 0.5)[0])
    picture[:, : top + 10] = 0.05
    mask = masks.face_mask(FRONTAL, CROP, picture)[0]
    assert hull[top + 4, 64] == 1
    assert mask[top + 4, 64] < 0.2
    assert mask[top + 30, 64] > 0.9


def test_eyes_and_mouth_stay_in_the_mask() -> None:
    picture = skin_picture()
    points = geometry.apply(geometry.patch_from_canonical(CROP), FRONTAL).astype(int)
    for x, y in points:
        picture[:, y - 2 : y + 3, x - 3 : x + 4] = 0.1
    mask = masks.face_mask(FRONTAL, CROP, picture)[0]
    assert mask[points[:, 1], points[:, 0]].min() > 0.9


def test_guided_filter_leaves_a_constant_mask() -> None:
    guide = np.random.default_rng(0).random((3, 32, 32)).astype(np.float32)
    filtered = masks.guided_filter(np.full((1, 32, 32), 0.5, dtype=np.float32), guide, radius=4)
    np.testing.assert_allclose(filtered, 0.5, atol=1e-4)


def test_guided_filter_moves_the_edge_to_that_of_the_picture() -> None:
    guide = np.zeros((3, 64, 64), dtype=np.float32)
    guide[:, :, 32:] = 1
    mask = np.zeros((1, 64, 64), dtype=np.float32)
    mask[:, :, 28:] = 1
    filtered = masks.guided_filter(mask, guide, radius=6)[0, 32]
    assert filtered[28:32].max() < 0.75  # in the mask, but on the other side of the picture's edge
    assert np.diff(filtered).argmax() == 31


def test_guided_filter_stays_in_range() -> None:
    rng = np.random.default_rng(1)
    filtered = masks.guided_filter(square(), rng.random((3, 64, 64)).astype(np.float32), radius=5)
    assert filtered.shape == (1, 64, 64)
    assert 0 <= filtered.min() <= filtered.max() <= 1


def strands(size: int = 64) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a picture of skin with dark hair above a slanted line, and (S, S) where the skin is."""
    y, x = np.indices((size, size))
    skin = (y > 18 + 0.15 * x).astype(np.float32)
    picture = np.stack([0.15 + level * skin for level in (0.6, 0.45, 0.35)]).astype(np.float32)
    return picture + np.random.default_rng(2).normal(0, 0.01, picture.shape).astype(np.float32), skin


def test_refined_edge_follows_the_hairline() -> None:
    picture, skin = strands()
    plain = masks.shape_edge(square(low=18, high=58), erode=0, feather=6)
    refined = masks.refine_edge(plain, picture, 4)
    edge = np.s_[20:32, 26:50]
    before, after = (np.abs(mask[0][edge] - skin[edge] * mask[0][edge].max()).mean() for mask in (plain, refined))
    assert after < 0.75 * before


def test_refining_leaves_the_inside_and_even_skin_alone() -> None:
    picture, _ = strands()
    picture[:, 36:40, 28:36] = 0.1  # an eye, well inside
    plain = masks.shape_edge(square(low=8, high=56), erode=0, feather=6)
    refined = masks.refine_edge(plain, picture, 3)
    np.testing.assert_array_equal(refined[0, 34:42, 26:38], plain[0, 34:42, 26:38])
    np.testing.assert_allclose(refined[0, 46:60, 16:48], plain[0, 46:60, 16:48], atol=0.1)


def test_refining_by_nothing_changes_nothing() -> None:
    plain = masks.shape_edge(square(), erode=0, feather=6)
    np.testing.assert_array_equal(masks.refine_edge(plain, strands()[0], 0), plain)


@pytest.mark.parametrize(("erode", "feather"), [(0, 0), (0, 8), (4, 0), (4, 8), (2.5, 5)])
def test_shaped_edge_lies_inside_the_mask(erode: float, feather: float) -> None:
    shaped = masks.shape_edge(square(), erode=erode, feather=feather)
    assert (shaped[square() == 0] == 0).all()
    assert shaped[0, 32, 32] == pytest.approx(1, abs=1e-3)


def test_eroded_mask_loses_that_many_px_on_each_side() -> None:
    shaped = masks.shape_edge(square(), erode=4, feather=0)
    np.testing.assert_array_equal(np.flatnonzero(shaped[0, 32]), np.arange(20, 44))


def test_each_side_is_shrunk_by_its_own_amount() -> None:
    shaped = masks.shape_edge(square(), erode=masks.Sides(top=6, bottom=0, left=2, right=4), feather=0)[0]
    np.testing.assert_array_equal(np.flatnonzero(shaped[:, 32]), np.arange(22, 48))
    np.testing.assert_array_equal(np.flatnonzero(shaped[32]), np.arange(18, 44))


def test_less_than_nothing_makes_the_mask_grow() -> None:
    shaped = masks.shape_edge(square(), erode=masks.Sides(top=-6, bottom=4, left=0, right=-2), feather=0)[0]
    np.testing.assert_array_equal(np.flatnonzero(shaped[:, 32]), np.arange(10, 44))
    np.testing.assert_array_equal(np.flatnonzero(shaped[32]), np.arange(16, 50))


def test_equal_sides_are_one_amount() -> None:
    for amount in (-3, 0, 2.5, 4):
        one, four = (masks.shape_edge(square(), erode=e, feather=5) for e in (amount, masks.Sides.all(amount)))
        np.testing.assert_array_equal(one, four)


def test_a_grown_mask_keeps_its_soft_edge_within_the_patch() -> None:
    shaped = masks.shape_edge(square(), erode=-30, feather=8)[0]
    assert max(shaped[0].max(), shaped[-1].max(), shaped[:, 0].max(), shaped[:, -1].max()) == 0
    assert max(shaped[1].max(), shaped[-2].max(), shaped[:, 1].max(), shaped[:, -2].max()) < 0.01
    assert np.abs(np.diff(shaped, axis=0)).max() < 0.35
    assert shaped[8:-8, 8:-8].min() > 0.99


def test_feathered_edge_rises_steadily() -> None:
    row = masks.shape_edge(square(), erode=0, feather=8)[0, 32, :33]
    assert (np.diff(row) >= -1e-6).all()
    assert ((row > 0.01) & (row < 0.99)).sum() >= 5


def test_shaped_mask_keeps_off_the_edge_of_the_patch() -> None:
    shaped = masks.shape_edge(np.ones((1, 32, 32), dtype=np.float32), erode=0, feather=0)
    assert shaped[0, 1:-1, 1:-1].min() == 1
    border = [shaped[0, 0], shaped[0, -1], shaped[0, :, 0], shaped[0, :, -1]]
    assert np.abs(border).max() == 0


def test_values_too_small_to_matter_become_zero() -> None:
    cleaned = masks.with_clean_support(np.full((1, 8, 8), 1 / 600, dtype=np.float32))
    assert not cleaned.any()


def test_hull_follows_the_crops_matrix() -> None:
    def centroid(mask: NDArray) -> NDArray:
        y, x = np.indices(mask.shape[1:]) + 0.5
        return np.array([(x * mask[0]).sum(), (y * mask[0]).sum()]) / mask.sum()

    wide, narrow = CropSpec(128, "head"), CropSpec(128, "whole_face")
    to_narrow: Matrix = geometry.patch_from_patch(narrow, wide)
    moved = geometry.apply(to_narrow, centroid(masks.face_hull(FRONTAL, wide))[None])[0]
    np.testing.assert_allclose(moved, centroid(masks.face_hull(FRONTAL, narrow)), atol=0.2)


def test_core_holds_eyes_nose_and_mouth_and_lies_inside_the_hull() -> None:
    crop = CropSpec(128, "face")
    core = masks.face_core(FRONTAL, crop)[0]
    points = geometry.apply(geometry.patch_from_canonical(crop), FRONTAL).astype(int)
    assert all(core[y, x] == 1 for x, y in points[:3])
    hull = masks.face_hull(FRONTAL, crop)[0]
    assert (core > 0.5).sum() > 0.3 * (hull > 0.5).sum()
    assert hull[core > 0.99].mean() > 0.97
