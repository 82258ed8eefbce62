from __future__ import annotations

import numpy as np
import pytest

from faceswap import geometry
from faceswap.errors import ShapeError
from faceswap.faces.align import frame_from_canonical
from faceswap.schemes import FIVE, NOSE_DEPTH, SCHEMES, anchors_of
from faceswap.types import CropSpec


def points_with_anchors(scheme: str, anchors: np.ndarray) -> np.ndarray:
    """Points of a scheme whose anchors are given, the points of an eye spread around its middle."""
    known = SCHEMES[scheme]
    points = np.random.default_rng(0).normal(size=(known.num_points, 2))
    for group, anchor in zip(known.anchors, anchors, strict=True):
        chosen = list(group)
        points[chosen] += anchor - points[chosen].mean(axis=0)
    return points


@pytest.mark.parametrize("scheme", SCHEMES)
def test_groups_of_anchors_do_not_overlap_and_exist(scheme: str) -> None:
    indices = [i for group in SCHEMES[scheme].anchors for i in group]
    assert len(indices) == len(set(indices))
    assert max(indices) < SCHEMES[scheme].num_points


@pytest.mark.parametrize("scheme", SCHEMES)
def test_anchors_are_means_of_their_points(scheme: str) -> None:
    template = SCHEMES[scheme].template
    np.testing.assert_allclose(anchors_of(points_with_anchors(scheme, template), scheme), template, atol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_alignment_finds_the_similarity_that_moved_the_template(scheme: str) -> None:
    moved = geometry.from_similarity(geometry.Similarity(np.log(80), 0.3, 200, 150))
    points = geometry.apply(moved, points_with_anchors(scheme, SCHEMES[scheme].template))
    np.testing.assert_allclose(frame_from_canonical(points, scheme), moved, atol=1e-9)


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != FIVE])
def test_templates_of_all_schemes_describe_the_same_mean_face(scheme: str) -> None:
    # The constant differences between what networks call an eye's middle or a nose tip are a few per cent.
    fit = geometry.fit_similarity(SCHEMES[scheme].template, SCHEMES[FIVE].template)
    corners = np.array([[-1.85, -1.45], [1.85, -1.45], [1.85, 2.25], [-1.85, 2.25]])
    assert np.abs(geometry.apply(fit, corners) - corners).max() < 0.15


@pytest.mark.parametrize(("shape", "scheme"), [((5, 2), "nine"), ((4, 2), FIVE), ((68, 3), "ibug68")])
def test_unknown_points_are_refused(shape: tuple[int, int], scheme: str) -> None:
    with pytest.raises(ShapeError, match="known: 'five'"):
        anchors_of(np.zeros(shape), scheme)


def seen_in(scheme: str, yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Points of a scheme on one synthetic head, 80 px between its eyes, turned by these degrees and seen from far away."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn_yaw = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    turn_pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn_roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    flat = points_with_anchors(scheme, SCHEMES[scheme].template)
    depth = np.zeros(len(flat))
    depth[list(SCHEMES[scheme].anchors[2])] = -NOSE_DEPTH
    return 80 * (np.column_stack([flat, depth]) @ (turn_roll @ turn_yaw @ turn_pitch).T)[:, :2] + [320, 240]


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != FIVE])
@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (20, 0, 10), (-30, 10, 0), (15, -15, 90), (45, 0, 0)])
def test_crops_of_one_head_agree_within_two_per_cent(scheme: str, yaw: float, pitch: float, roll: float) -> None:
    crop = CropSpec(size=256, coverage="whole_face")
    corners = geometry.apply(geometry.invert(geometry.patch_from_canonical(crop)), geometry.corners_of((256, 256)))
    places = [
        geometry.apply(frame_from_canonical(seen_in(name, yaw, pitch, roll), name), corners) for name in (FIVE, scheme)
    ]
    side = np.hypot(*(places[0][1] - places[0][0]))
    assert np.hypot(*(places[0] - places[1]).T).max() < 0.02 * side
