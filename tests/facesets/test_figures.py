from __future__ import annotations

import cv2
import numpy as np
import pytest
from portraits import CROP, Change, blurred, brighter, covered, portrait, same

from faceswap.facesets.figures import hash_distance, looks_as_vectors, measure
from faceswap.facesets.schema import Figures
from faceswap.types import CropSpec

USUAL = CropSpec(256, "whole_face", 0.12)


def figures(change: Change = same, crop: CropSpec = USUAL, **view: float) -> Figures:
    rgb, record = portrait(crop, **view)
    return measure(change(rgb), record, crop)


@pytest.mark.parametrize("crop", [CropSpec(512, "whole_face", 0.12), CropSpec(256, "face"), CropSpec(384, "head", 0.1)])
def test_figures_do_not_depend_on_the_crop(crop: CropSpec) -> None:
    usual, other = figures(), figures(crop=crop)
    assert other.sharpness == pytest.approx(usual.sharpness, rel=0.12)
    assert other.brightness == pytest.approx(usual.brightness, abs=2)
    assert other.face_px == pytest.approx(usual.face_px, rel=1e-3)
    assert hash_distance(usual.hash, other.hash) <= 4


def test_sharpness_falls_with_blur_and_ignores_light() -> None:
    values = [figures(change).sharpness for change in (same, blurred(1), blurred(2), blurred(4))]
    assert values == sorted(values, reverse=True)
    assert values[2] < 0.6 * values[0]
    assert figures(brighter(0.5)).sharpness == pytest.approx(values[0], rel=0.1)
    assert figures(brighter(0.7, 60)).sharpness == pytest.approx(values[0], rel=0.1)


def test_face_with_fewer_pixels_in_its_frame_is_less_sharp() -> None:
    def enlarged(rgb: np.ndarray) -> np.ndarray:
        small = cv2.resize(rgb, (64, 64), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    assert figures(enlarged).sharpness < 0.6 * figures().sharpness


def test_sharpness_of_a_flat_picture_is_nothing() -> None:
    assert figures(lambda rgb: np.full_like(rgb, 90)).sharpness < 0.05


def test_size_and_roll_are_those_in_the_frame() -> None:
    usual, turned = figures(), figures(turn=20, scale=2)
    assert turned.face_px == pytest.approx(2 * usual.face_px, rel=1e-3)
    assert turned.roll - usual.roll == pytest.approx(20, abs=0.5)
    assert turned.yaw == pytest.approx(usual.yaw, abs=0.5)
    assert 100 < usual.face_px < 140  # the box of the astronaut's face is 120 px high


def test_light_is_described() -> None:
    usual = figures()
    assert figures(brighter(0.5)).brightness == pytest.approx(usual.brightness / 2, rel=0.03)
    assert figures(brighter(0.5)).contrast == pytest.approx(usual.contrast / 2, rel=0.05)
    ramp = np.linspace(0.4, 1.0, 256)[None, :, None]
    assert figures(lambda rgb: (rgb * ramp).astype(np.uint8)).balance > usual.balance + 0.06
    assert figures(lambda rgb: (rgb * ramp[:, ::-1]).astype(np.uint8)).balance < usual.balance - 0.06


def test_hue_tells_tints_apart() -> None:
    blue = figures(lambda rgb: np.clip(rgb * [0.6, 0.9, 1.4], 0, 255).astype(np.uint8))
    assert abs(blue.hue - figures().hue) > 40


def test_occlusion_rises_with_what_is_covered_and_not_with_light_from_one_side() -> None:
    usual, some, much = (figures(change).occlusion for change in (same, covered(0.3), covered(0.4)))
    assert usual < 0.12
    assert usual + 0.1 < some < much
    ramp = np.linspace(0.6, 1.0, 256)[None, :, None]
    assert figures(lambda rgb: (rgb * ramp).astype(np.uint8)).occlusion < usual + 0.1


def test_hash_and_look_stay_under_light_and_change_with_the_face() -> None:
    usual, dark = figures(), figures(brighter(0.6))
    mirrored = figures(lambda rgb: np.ascontiguousarray(rgb[:, ::-1]))
    assert hash_distance(usual.hash, dark.hash) <= 4
    assert hash_distance(usual.hash, mirrored.hash) > 8
    vectors = looks_as_vectors([usual.look, figures(brighter(0.98)).look, mirrored.look])
    near, far = (float(np.sqrt(((vectors[i] - vectors[0]) ** 2).mean())) for i in (1, 2))
    assert near < 3 < 10 < far


def test_crop_smaller_than_the_view_is_measured() -> None:
    assert figures(crop=CROP).brightness == pytest.approx(figures().brightness, abs=3)
