from __future__ import annotations

import numpy as np
import pytest

from faceswap import geometry
from faceswap.errors import UsageError
from faceswap.masks.opacity import Opacity, opacity_map, opacity_of
from faceswap.masks.regions import region_mask
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import CropSpec

CROP = CropSpec(128, "whole_face")
FACE = SCHEMES[FIVE].template


def at(opacity: Opacity, point: int) -> float:
    """Return the share at one of the five points: left eye, right eye, nose, left and right corner of the mouth."""
    x, y = geometry.apply(geometry.patch_from_canonical(CROP), FACE)[point].astype(int)
    return float(opacity_map(FACE, CROP, opacity, FIVE)[0, y, x])


def test_one_share_is_the_same_everywhere() -> None:
    np.testing.assert_array_equal(opacity_map(FACE, CROP, Opacity(0.8), FIVE), np.full((1, 128, 128), np.float32(0.8)))


def test_parts_have_shares_of_their_own() -> None:
    opacity = opacity_of({"all": 0.9, "mouth": 0.5, "eyes": 0.7})
    assert [at(opacity, point) for point in range(5)] == pytest.approx([0.7, 0.7, 0.9, 0.5, 0.5], abs=0.01)


def test_a_part_may_be_seen_more_than_the_rest() -> None:
    opacity = opacity_of({"all": 0.2, "mouth": 1.0})
    assert at(opacity, 3) == pytest.approx(1, abs=0.01)
    assert at(opacity, 0) == pytest.approx(0.2)


def test_a_parts_share_goes_over_softly() -> None:
    shares = opacity_map(FACE, CROP, opacity_of({"mouth": 0.0}), FIVE)[0]
    assert shares.min() < 0.01
    assert np.abs(np.diff(shares, axis=0)).max() < 0.35
    assert ((shares > 0.1) & (shares < 0.9)).sum() > 300


def test_a_part_at_nothing_is_nearly_what_keeping_it_does() -> None:
    shares = opacity_map(FACE, CROP, opacity_of({"eyes": 0.0}), FIVE)
    kept = 1 - region_mask(FACE, CROP, ("eyes",), FIVE)
    assert shares.mean() == pytest.approx(kept.mean(), abs=0.002)
    assert np.abs(shares - kept).max() < 0.5


def test_the_later_of_two_overlapping_parts_counts() -> None:
    names = {"brows": 0.2, "eyes": 0.9}
    assert at(opacity_of(names), 0) == pytest.approx(0.9, abs=0.02)


def test_parts_that_the_points_do_not_show_are_refused() -> None:
    with pytest.raises(UsageError, match="teeth"):
        opacity_map(FACE, CROP, opacity_of({"teeth": 0.5}), FIVE)


@pytest.mark.parametrize(
    ("opacity", "full"),
    [
        (Opacity(), True),
        (Opacity(1.0, (("eyes", 1.0),)), True),
        (Opacity(0.5), False),
        (Opacity(1.0, (("eyes", 0.5),)), False),
    ],
)
def test_full_opacity_is_known(opacity: Opacity, full: bool) -> None:
    assert opacity.is_full is full
