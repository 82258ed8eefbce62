from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import smooth_noise
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.errors import CropMismatchError
from faceswap.geometry import Similarity
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import CropSpec, Matrix

shifts = st.floats(-500, 500)
similarities = st.builds(Similarity, st.floats(-2, 2), st.floats(-3.1, 3.1), shifts, shifts)
matrices = similarities.map(geometry.from_similarity)
POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [12.5, -7.25]])


@given(matrices)
def test_inverse_undoes_matrix_from_both_sides(matrix: Matrix) -> None:
    inverse = geometry.invert(matrix)
    np.testing.assert_allclose(geometry.compose(matrix, inverse), np.eye(2, 3), atol=1e-8)
    np.testing.assert_allclose(geometry.compose(inverse, matrix), np.eye(2, 3), atol=1e-8)


@given(matrices, matrices)
def test_composed_matrix_acts_like_one_after_the_other(a: Matrix, b: Matrix) -> None:
    at_once = geometry.apply(geometry.compose(a, b), POINTS)
    np.testing.assert_allclose(at_once, geometry.apply(a, geometry.apply(b, POINTS)), atol=1e-8)


@given(matrices, matrices)
def test_inverse_of_composition_is_composition_of_inverses_reversed(a: Matrix, b: Matrix) -> None:
    expected = geometry.compose(geometry.invert(b), geometry.invert(a))
    np.testing.assert_allclose(geometry.invert(geometry.compose(a, b)), expected, rtol=1e-8, atol=1e-6)


@given(similarities)
def test_four_numbers_of_a_similarity_come_back(params: Similarity) -> None:
    np.testing.assert_allclose(geometry.to_similarity(geometry.from_similarity(params)), params, atol=1e-9)


@given(matrices, matrices)
def test_scale_of_composition_is_the_product(a: Matrix, b: Matrix) -> None:
    product = geometry.scale_of(a) * geometry.scale_of(b)
    assert geometry.scale_of(geometry.compose(a, b)) == pytest.approx(product)


@given(matrices)
def test_fit_recovers_a_similarity(matrix: Matrix) -> None:
    src = SCHEMES[FIVE].template
    np.testing.assert_allclose(geometry.fit_similarity(src, geometry.apply(matrix, src)), matrix, atol=1e-7)


def test_fit_never_mirrors() -> None:
    src = SCHEMES[FIVE].template
    assert np.linalg.det(geometry.fit_similarity(src, src * [-1.0, 1.0])[:, :2]) > 0


def test_fit_is_the_least_squares_optimum() -> None:
    rng = np.random.default_rng(1)
    src = rng.normal(size=(5, 2))
    dst = geometry.apply(geometry.from_similarity(Similarity(0.7, 0.4, 3, -2)), src) + rng.normal(0, 0.1, (5, 2))
    best = np.array(geometry.to_similarity(geometry.fit_similarity(src, dst)))

    def error(params: NDArray) -> float:
        return float(((geometry.apply(geometry.from_similarity(Similarity(*params)), src) - dst) ** 2).sum())

    nudges = np.concatenate([np.eye(4), -np.eye(4)]) * 1e-3
    assert all(error(best + nudge) > error(best) for nudge in nudges)


@pytest.mark.parametrize("coverage", ["face", "whole_face"])
def test_crops_of_different_coverage_agree_on_the_same_face(coverage: str) -> None:
    picture = smooth_noise((400, 400), 3, blur=6)
    frame_from_canonical = geometry.from_similarity(Similarity(np.log(50), 0.2, 200, 190))
    wide, narrow = CropSpec(256, "head"), CropSpec(96, coverage)  # type: ignore[arg-type]

    def cut(crop: CropSpec) -> NDArray:
        matrix = geometry.compose(geometry.patch_from_canonical(crop), geometry.invert(frame_from_canonical))
        return resample.warp(picture, matrix, (crop.size, crop.size))

    by_way_of_wide = resample.warp(cut(wide), geometry.patch_from_patch(narrow, wide), (narrow.size, narrow.size))
    np.testing.assert_allclose(by_way_of_wide, cut(narrow), atol=0.01)


def test_crop_scales_with_its_size() -> None:
    small, large = (geometry.patch_from_canonical(CropSpec(size)) for size in (64, 256))
    np.testing.assert_allclose(geometry.compose(geometry.scaling(4), small), large)


def test_margin_adds_room_on_every_side() -> None:
    matrix = geometry.patch_from_patch(CropSpec(100), CropSpec(150, margin=0.25))
    np.testing.assert_allclose(matrix, geometry.translation(-25, -25), atol=1e-9)


def test_crop_that_does_not_hold_the_wanted_one_is_refused() -> None:
    with pytest.raises(CropMismatchError, match="--coverage head"):
        geometry.patch_from_patch(CropSpec(64, "head"), CropSpec(256, "face"))


def test_crops_of_different_templates_are_refused() -> None:
    with pytest.raises(CropMismatchError, match="other-9"):
        geometry.patch_from_patch(CropSpec(64), CropSpec(256, template="other-9"))


def test_unknown_coverage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CropMismatchError, match="whole_face"):
        geometry.patch_from_canonical(CropSpec(64, "ear"))  # type: ignore[arg-type]


def test_left_sited_chroma_lies_on_even_luma_samples() -> None:
    first_chroma_centre = np.array([[0.5, 0.5]])
    matrix = geometry.luma_from_chroma((1, 1), "left")
    np.testing.assert_allclose(geometry.apply(matrix, first_chroma_centre), [[0.5, 1.0]])


def test_centre_sited_chroma_lies_between_luma_samples() -> None:
    matrix = geometry.luma_from_chroma((1, 1), "center")
    np.testing.assert_allclose(geometry.apply(matrix, np.array([[0.5, 0.5]])), [[1.0, 1.0]])


def test_bounding_rect_covers_points_and_stays_in_the_picture() -> None:
    points = np.array([[-3.0, 2.2], [9.5, 30.0]])
    assert geometry.bounding_rect(points, (20, 40), pad=1) == (0, 1, 11, 20)


def test_bounding_rect_of_points_outside_is_empty() -> None:
    assert geometry.bounding_rect(np.array([[-9.0, -9.0], [-5.0, -5.0]]), (20, 40)) == (0, 0, 0, 0)


def test_bounding_rect_edges_are_multiples() -> None:
    assert geometry.bounding_rect(np.array([[3.0, 5.0], [6.0, 7.0]]), (20, 40), multiple=4) == (0, 4, 8, 8)
