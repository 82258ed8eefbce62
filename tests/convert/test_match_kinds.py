from __future__ import annotations

import numpy as np
import pytest
from makers import smooth_noise
from numpy.typing import NDArray

from faceswap import color
from faceswap.convert import membrane
from faceswap.convert.match import ColorMatcher
from faceswap.convert.match_kinds import KINDS

SIZE = 64
KEY = (0, 0)


def patch(seed: int) -> NDArray[np.float32]:
    return 0.2 + 0.6 * smooth_noise((SIZE, SIZE), seed).transpose(2, 0, 1)


def mask(soft: float = 6.0) -> NDArray[np.float32]:
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    return np.clip((24 - np.hypot(x, y)) / soft, 0, 1).astype(np.float32)[None]


def difference(a: NDArray, b: NDArray) -> float:
    return float(color.delta_e(a, b)[mask()[0] > 0.5].mean())


def matched(kind: str, new: NDArray, old: NDArray, under: NDArray | None = None) -> NDArray[np.float32]:
    (result,) = ColorMatcher(kind).match([KEY], [new], [old], [mask() if under is None else under])
    return result


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_same_colours_stay(kind: str) -> None:
    assert difference(matched(kind, patch(0), patch(0)), patch(0)) < 0.2


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_even_change_of_light_is_followed(kind: str) -> None:
    if kind == "poisson":
        pytest.skip("what it adds is the same for light and dark: a gain is not what it models")
    assert difference(matched(kind, 0.8 * patch(0), patch(0)), patch(0)) < 0.5


def test_histogram_takes_out_a_curve() -> None:
    curved = patch(0) ** 1.6
    assert difference(curved, patch(0)) > 8
    assert difference(matched("histogram", curved, patch(0)), patch(0)) < 0.6
    assert difference(matched("histogram", curved, patch(0)), patch(0)) < difference(
        matched("mkl", curved, patch(0)), patch(0)
    )


def test_histogram_never_draws_out_noise() -> None:
    flat = np.full((3, SIZE, SIZE), 0.5, np.float32) + np.random.default_rng(0).normal(0, 0.004, (3, SIZE, SIZE))
    result = matched("histogram", flat.astype(np.float32), patch(0))
    assert result[:, mask()[0] > 0.9].std(axis=1).max() < 3 * flat.std()


def test_poisson_joins_the_edge_and_keeps_what_is_inside() -> None:
    y, x = (np.mgrid[:SIZE, :SIZE] / SIZE).astype(np.float32)
    offset = 0.1 * x - 0.06 * y  # harmonic: it is carried inwards exactly
    result = matched("poisson", patch(0) + offset, patch(0))
    inside = mask()[0] > 0.1
    np.testing.assert_allclose(result[:, inside], patch(0)[:, inside], atol=0.012)


def test_poisson_is_not_drawn_to_a_hand_on_the_edge() -> None:
    covered = patch(0).copy()
    covered[:, :20, 26:34] = 0.0
    clean, result = matched("poisson", patch(0) + 0.05, patch(0)), matched("poisson", patch(0) + 0.05, covered)
    assert np.abs(result - clean)[:, mask()[0] > 0.9].max() < 0.02


def test_membrane_solves_laplaces_equation() -> None:
    """Against a direct solution of the same linear system."""
    sparse = pytest.importorskip("scipy.sparse")
    from scipy.sparse.linalg import spsolve

    rng, size = np.random.default_rng(3), membrane.SIDE
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    known = np.abs(np.hypot(x, y) - 11) < 1
    values = (np.sin(np.arctan2(y, x) * 2) + 0.1 * rng.normal(size=(size, size))).astype(np.float32)
    rows = sparse.lil_matrix((size * size, size * size))
    right = np.zeros(size * size)
    for i in range(size * size):
        row, column = divmod(i, size)
        rows[i, i] = 1.0
        if known[row, column]:
            right[i] = values[row, column]
            continue
        near = [(row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)]
        near = [(r, c) for r, c in near if 0 <= r < size and 0 <= c < size]
        for r, c in near:
            rows[i, r * size + c] = -1.0 / len(near)
    truth = spsolve(rows.tocsr(), right).reshape(size, size)
    found = membrane.stretched((values * known)[None].astype(np.float32), known)[0]
    np.testing.assert_allclose(found, truth, atol=0.03)


def test_membrane_of_a_mask_without_an_edge_is_nothing() -> None:
    everything = np.ones((1, SIZE, SIZE), np.float32)
    assert not membrane.across(patch(0), everything).any()
    np.testing.assert_array_equal(matched("poisson", patch(1), patch(0), everything), patch(1))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_steady_while_the_footage_flickers(kind: str) -> None:
    matcher, brightness, seen = ColorMatcher(kind), [], []
    for frame in range(60):
        flicker = patch(0) + 0.03 * (-1) ** frame
        (result,) = matcher.match([KEY], [patch(0)], [flicker], [mask()])
        brightness.append(float(result[:, mask()[0] > 0].mean()))
        seen.append(float(flicker[:, mask()[0] > 0].mean()))
    limit = 0.5 if kind == "poisson" else 0.1
    assert np.abs(np.diff(brightness[10:])).mean() < limit * np.abs(np.diff(seen[10:])).mean()


def test_settled_colours_hold_for_their_track_alone() -> None:
    first = ColorMatcher(follow=0.0)
    for frame in range(4):
        first.match([KEY], [patch(0)], [(0.5 + 0.1 * frame) * patch(0)], [mask()])
    settled = ColorMatcher(settled=first.seen)
    results = settled.match([KEY, (0, 1)], [patch(0)] * 2, [0.3 * patch(0)] * 2, [mask()] * 2)
    assert difference(results[0], 0.65 * patch(0)) < 0.5  # the mean of .5 to .8, whatever this frame shows
    assert difference(results[1], 0.3 * patch(0)) < 0.5
    assert set(settled.seen) == {(0, 1)}


@pytest.mark.parametrize("stops", [-2.0, -1.0, 1.0])
def test_exposures_are_matched_in_coded_values(stops: float) -> None:
    """More or less light is a gain in linear light; through a power curve it is nearly a gain again, with an offset."""
    light = np.where(patch(0) <= 0.04045, patch(0) / 12.92, ((patch(0) + 0.055) / 1.055) ** 2.4) * 0.4 * 2**stops
    truth = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
    assert difference(matched("mkl", patch(0), truth), truth) < 0.7
