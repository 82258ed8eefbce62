from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dense_faces import dense_face

from faceswap import geometry, masks, resample
from faceswap.errors import ShapeError
from faceswap.schemes import FIVE, IBUG68, LM66, MESH468, SCHEMES, scheme_with
from faceswap.types import CropSpec

CROP = CropSpec(128, "whole_face")
FRONTAL = SCHEMES[FIVE].template
SHARED = Path(__file__).resolve().parents[3] / "shared"


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def test_hull_of_68_points_is_that_of_five() -> None:
    assert iou(masks.face_hull(FRONTAL, CROP), masks.face_hull(dense_face(), CROP, IBUG68)) > 0.9


def test_hull_of_68_points_is_a_soft_mask_that_holds_eyes_nose_and_mouth() -> None:
    mask = masks.face_hull(dense_face(), CROP, IBUG68)
    assert mask.shape == (1, 128, 128)
    assert mask.dtype == np.float32
    assert (mask.min(), mask.max()) == (0, 1)
    points = geometry.apply(geometry.patch_from_canonical(CROP), dense_face()[27:]).astype(int)
    assert (mask[0, points[:, 1], points[:, 0]] == 1).all()


def test_dense_hull_reaches_over_the_brows() -> None:
    mask = masks.face_hull(dense_face(), CROP, IBUG68)[0]
    (x, y), *_ = geometry.apply(geometry.patch_from_canonical(CROP), np.array([[0.0, -0.8]])).astype(int)
    assert mask[y, x] == 1


def test_dense_hull_follows_the_jaw() -> None:
    face = dense_face()
    face[:17, 0] = np.where(face[:17, 0] > 0, face[:17, 0] * 0.7, face[:17, 0])
    before, after = (masks.face_hull(points, CROP, IBUG68)[0] for points in (dense_face(), face))
    assert after[:, 64:].sum() < 0.8 * before[:, 64:].sum()
    np.testing.assert_allclose(after[60:, :50], before[60:, :50], atol=0.02)


def test_far_jaw_never_cuts_through_the_features() -> None:
    face = dense_face()
    face[:17, 0] = np.minimum(face[:17, 0], 0.1)
    mask = masks.face_hull(face, CROP, IBUG68)[0]
    points = geometry.apply(geometry.patch_from_canonical(CROP), face[36:60]).astype(int)
    assert mask[points[:, 1], points[:, 0]].min() > 0.4


def test_hull_moves_smoothly_with_the_points() -> None:
    px = 1 / geometry.scale_of(geometry.patch_from_canonical(CROP))
    areas = [masks.face_hull(dense_face() * (1 + share * px / 2), CROP, IBUG68).sum() for share in range(5)]
    steps = np.diff(areas)
    assert (steps > 0).all()
    assert steps.max() < 2 * steps.min()


def test_unknown_schemes_and_wrong_numbers_of_points_are_refused() -> None:
    with pytest.raises(ShapeError, match="no template"):
        masks.face_hull(FRONTAL, CROP, "seven")
    with pytest.raises(ShapeError, match="no template"):
        masks.face_hull(FRONTAL, CROP, IBUG68)


def test_schemes_are_known_by_their_number_of_points() -> None:
    assert [scheme_with(n) for n in (5, 68, 66, 468)] == [FIVE, IBUG68, LM66, MESH468]
    with pytest.raises(ShapeError, match="no landmark scheme has 7 points"):
        scheme_with(7)


def test_contours_name_points_of_their_scheme() -> None:
    for scheme in SCHEMES.values():
        indices = [*scheme.jaw, *(i for part in scheme.parts.values() for contour in part for i in contour)]
        assert all(0 <= i < scheme.num_points for i in indices)
        assert not scheme.jaw or set(scheme.parts) == {"eyes", "brows", "nose", "mouth", "teeth"}


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared footage is not beside the checkout")
@pytest.mark.parametrize("clip", ["ada", "president_turning"])
def test_hulls_of_real_faces_agree_whatever_their_scheme(clip: str) -> None:
    from makers import detector

    from faceswap.faces.align import frame_from_canonical
    from faceswap.faces.registry import make_landmarker
    from faceswap.faces.views import render_view
    from faceswap.media.reader import VideoReader

    frame = next(iter(VideoReader(SHARED / "data" / "clips" / f"{clip}.mp4")))
    size = (frame.size[0] // 32 * 32, frame.size[1] // 32 * 32)
    ((face, *_),) = detector().detect(render_view(frame, geometry.translation(0, 0), size)[None])
    aligned = frame_from_canonical(face.landmarks, face.scheme)
    five = masks.face_hull(geometry.apply(geometry.invert(aligned), face.landmarks), CROP)
    patch_from_canonical = geometry.patch_from_canonical(CROP)
    for file in ("facemesh_468.onnx", "openseeface_lm66_model0.onnx"):
        network = make_landmarker(str(SHARED / "models" / file), threads=1, device="cpu")
        matrix = geometry.compose(network.patch_from_canonical, geometry.invert(aligned))
        ((points, _),) = network.landmarks(render_view(frame, matrix, (network.size, network.size))[None])
        in_frame = geometry.apply(geometry.invert(matrix), points)
        own = frame_from_canonical(in_frame, network.scheme)
        hull = masks.face_hull(geometry.apply(geometry.invert(own), in_frame), CROP, network.scheme)
        to_five = geometry.compose(patch_from_canonical, geometry.compose(geometry.invert(aligned), own))
        moved = resample.warp(hull[0], geometry.compose(to_five, geometry.invert(patch_from_canonical)), (128, 128))
        assert iou(moved, five[0]) > 0.75
