"""Very large faces: neither a crop that shrinks them nor a paste that enlarges them aliases, rings or falls into facets."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from makers import face_at, noise_frame
from numpy.typing import NDArray

from faceswap import geometry, masks, resample
from faceswap.convert.blend import alpha_of, cut, paste
from faceswap.faces.align import canonical_landmarks
from faceswap.types import CropSpec, Matrix, Patch


def turned(scale: float, degrees: float, side: float) -> Matrix:
    """Return a turn and scale about the middle of a picture of `side` px, onto the middle of the result."""
    matrix = geometry.from_similarity(geometry.Similarity(np.log(scale), np.deg2rad(degrees), 0, 0))
    middle = geometry.apply(matrix, np.array([[side / 2, side / 2]]))[0]
    return geometry.compose(geometry.translation(*(scale * side / 2 - middle)), matrix)


def response(frequency: float, scale: float, degrees: float) -> float:
    """Return how much of a grating is left after shrinking; frequency in cycles a px of the result, amplitude 1 before."""
    side = round(64 / scale)
    y, x = np.indices((side, side)) + 0.5
    phase = 2 * np.pi * frequency * scale * (x * np.cos(0.35) + y * np.sin(0.35))
    grating = np.rint(128 + 100 * np.cos(phase)).astype(np.uint8)
    small = resample.warp(grating, turned(scale, degrees, side), (64, 64), as_float=True)
    return float(small[4:-4, 4:-4].std() * np.sqrt(2) / 100)


@pytest.mark.parametrize("degrees", [0, 10])
@pytest.mark.parametrize("scale", [64 / 1600, 64 / 700])
def test_a_large_face_is_shrunk_without_aliases(scale: float, degrees: float) -> None:
    assert response(0.1, scale, degrees) > 0.94
    assert response(0.2, scale, degrees) > 0.8
    # What cannot be shown must not come back as something else: hardly near the limit, not at all beyond.
    assert response(0.75, scale, degrees) < 0.35
    assert max(response(f, scale, degrees) for f in (1.0, 1.25, 1.5, 2.0, 3.0)) < 0.15


def test_a_shrunk_edge_does_not_ring() -> None:
    edge = np.where(np.arange(1600) < 811, 50, 200).astype(np.uint8)
    small = resample.warp(np.tile(edge, (1600, 1)), turned(0.04, 7, 1600), (64, 64), as_float=True)
    assert small.min() >= 50 - 1e-3
    assert small.max() <= 200 + 1e-3


def soft_edge(side: int, sigma: float) -> NDArray[np.float32]:
    row = np.where(np.arange(side) + 0.5 > side / 2 + 0.3, 1.0, 0.0)
    return np.tile(cv2.GaussianBlur(row[None], (0, 0), sigma).astype(np.float32), (side, 1))


def curve(enlarged: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Return the bend of a row: second derivative for coordinates of the small picture."""
    row = enlarged[len(enlarged) // 2].astype(np.float64)
    return np.diff(row, 2) * scale**2


@pytest.mark.parametrize("scale", [7.0, 12.5, 25.0])
def test_an_enlarged_edge_neither_rings_nor_falls_into_facets(scale: float) -> None:
    small = soft_edge(64, 1.0)
    side = round(64 * scale)
    large = resample.warp(small, geometry.scaling(scale), (side, side), is_smooth=True)
    assert -0.01 < large.min() <= large.max() < 1.01
    # The edge's own bend is 0.24; linear interpolation has 4.7 in its corners at 25 times, two places between samples 1.9.
    assert np.abs(curve(large, scale)).max() < 0.9
    row = large[side // 2]
    places = (np.arange(side) + 0.5) / scale - 0.5
    left = np.floor(places).astype(int)
    exact = np.zeros(side)
    for k in range(-1, 3):
        t = np.abs(places - left - k)
        weight = np.where(t < 1, 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2)
        exact += small[32][np.clip(left + k, 0, 63)] * weight
    np.testing.assert_allclose(row, exact, atol=3e-3)


def test_ramps_stay_ramps_however_much_they_are_enlarged() -> None:
    ramp = np.tile(np.arange(40, dtype=np.float32), (40, 1))
    for scale in (1.7, 5.0, 9.0, 20.0):
        side = round(40 * scale)
        large = resample.warp(ramp, geometry.scaling(scale), (side, side), is_smooth=True)
        inner = slice(round(3 * scale), round(37 * scale))
        expected = (np.arange(side) + 0.5) / scale - 0.5
        np.testing.assert_allclose(large[side // 2, inner], expected[inner], atol=2e-2)


def test_a_face_of_2160p_is_pasted_with_a_smooth_edge_and_nothing_else() -> None:
    """A patch of 64 px onto a face of 1600."""
    frame = noise_frame("yuv420p", (1080, 1920), seed=3)
    face = face_at(960, 380, 425, angle=0.1)
    crop = CropSpec(64, "whole_face")
    mask = masks.shape_edge(masks.face_hull(canonical_landmarks(face), crop), erode=0, feather=5)
    patch = replace(cut(frame, face, crop), mask=mask)
    alpha = alpha_of(frame.size, [patch])
    assert 0 <= alpha.min() <= alpha.max() <= 1
    assert np.abs(np.diff(alpha[560:564], 2, axis=1)).max() * 25**2 < 1.6  # in facets it would be 6
    pasted = paste(frame, Patch(patch.pixels, mask, patch.patch_from_frame))
    untouched = alpha == 0
    assert untouched.any()
    np.testing.assert_array_equal(pasted.planes[0][untouched], frame.planes[0][untouched])
