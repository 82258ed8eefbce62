"""Masks on a device against `convert.mask.MaskMaker`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dense_faces import dense_face
from makers import face_at, smooth_noise

from faceswap.convert.device.mask import DeviceMasks, MaskBatch, faded
from faceswap.convert.face_settings import FaceSettings
from faceswap.convert.mask import MaskInput, MaskMaker
from faceswap.convert.mask import faded as faded_on_cpu
from faceswap.faces.align import patch_from_frame
from faceswap.types import CropSpec, Patch

CPU = torch.device("cpu")
TOLERANCE = 2e-3
"""Largest difference of a mask: what is multiplied is float32 there, float64 in part here."""


def soft(seed: int, size: int) -> np.ndarray:
    return np.ascontiguousarray(smooth_noise((size, size), seed).transpose(2, 0, 1))


def dense_at(x: float, y: float, iod: float, mouth: float, **over):
    face = face_at(x, y, iod, **over)
    matrix = face.frame_from_canonical
    landmarks = dense_face(mouth) @ matrix[:, :2].T + matrix[:, 2]
    return replace(face, landmarks=landmarks, scheme="ibug68")


def batch_of(faces, crop: CropSpec, settings: FaceSettings, painted=None) -> tuple[MaskBatch, list[MaskInput]]:
    """Return the same faces for both; a hand lies over the second half of them."""
    size = crop.size
    originals = [soft(1, size) * 0.05 + np.array([0.6, 0.45, 0.35], np.float32).reshape(3, 1, 1) for _ in faces]
    for picture in originals[len(faces) // 2 :]:
        picture[:, size // 4 : 3 * size // 4, size // 4 : size // 2] = np.array([0.1, 0.3, 0.9]).reshape(3, 1, 1)
    swapped = [picture * 0.9 + 0.05 for picture in [originals[0]] * len(faces)]
    networks = [np.clip(soft(40 + i, size)[:1] * 3, 0, 1) for i in range(len(faces))]
    inputs = [
        MaskInput(
            face.frame, (240, 300), 0, face, settings, Patch(originals[i], None, patch_from_frame(face, crop)),
            swapped[i], networks[i], None,
        )
        for i, face in enumerate(faces)
    ]  # fmt: skip
    stacked = [torch.from_numpy(np.stack(each).astype(np.float32)) for each in (originals, swapped, networks)]
    keys, nothing = [(0, face.track) for face in faces], [None] * len(faces)
    frames = [face.frame for face in faces]
    given = MaskBatch(crop, keys, frames, faces, [settings] * len(faces), *stacked, nothing, painted or nothing)
    return given, inputs


FIVE_POINTS = [face_at(150 + i, 110, 40 + i, angle=0.1 * i, frame=i, track=i % 2) for i in range(12)]
MANY_POINTS = [dense_at(150 + i, 110, 40, 0.05 * i, frame=i, track=i % 2) for i in range(12)]
SETTINGS = {
    "usual": FaceSettings(),
    "hard": FaceSettings(feather=0, mask_steady=0, occlusion="off"),
    "eroded": FaceSettings(erode=0.05, feather=0.2, mask_steady=0.9),
    "kept": FaceSettings(keep=("eyes", "mouth")),
    "faint": FaceSettings(opacity="0.8,mouth=0.5", occlusion="off"),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("faces", [FIVE_POINTS, MANY_POINTS], ids=["five points", "many points"])
@pytest.mark.parametrize("size", [64, 96])
def test_masks_are_those_of_the_cpu(faces, settings: FaceSettings, size: int) -> None:
    crop = CropSpec(size, "whole_face")
    given, inputs = batch_of(faces, crop, settings)
    maker = MaskMaker([settings])
    made = [maker.make(each, crop) for each in inputs]
    expected = [faded_on_cpu(mask, face, settings, crop) for mask, face in zip(made, faces, strict=True)]
    masks, bounds = DeviceMasks().make(given)
    found = faded(masks, faces, given.settings, crop).numpy()
    for mask, reference, (x0, y0, x1, y1) in zip(found, expected, bounds, strict=True):
        difference = np.abs(mask - reference)
        assert difference.max() <= 0.05  # a threshold of the occlusion may fall the other way in a px
        assert (difference > TOLERANCE).mean() <= 0.002
        outside = np.ones_like(mask)
        outside[:, y0:y1, x0:x1] = 0
        assert not (mask * outside).any()
        assert reference.max() > 0.4


def test_something_in_front_is_left_out_as_on_the_cpu() -> None:
    crop = CropSpec(64, "face")
    given, inputs = batch_of(FIVE_POINTS, crop, FaceSettings())
    without, _ = DeviceMasks().make(replace(given, settings=[FaceSettings(occlusion="off")] * 12))
    found, _ = DeviceMasks().make(given)
    assert (without[-1] - found[-1]).max() > 0.5
    maker = MaskMaker([FaceSettings()])
    assert np.abs(found[-1].numpy() - [maker.make(each, crop) for each in inputs][-1]).max() < 0.05


@pytest.mark.parametrize("use", ["multiply", "replace"])
def test_painted_masks_are_used(use: str) -> None:
    crop, faces = CropSpec(64, "face"), FIVE_POINTS[:2]
    painted = np.zeros((1, 64, 64), np.float32)
    painted[:, 5:30, 5:40] = 0.75
    settings = FaceSettings(mask_use=use, occlusion="off", mask_steady=0)
    given, _ = batch_of(faces, crop, settings, [painted, None])
    plain, _ = DeviceMasks().make(replace(given, painted=[None, None]))
    found, bounds = DeviceMasks().make(given)
    expected = torch.from_numpy(painted[0]) * (plain[0, 0] if use == "multiply" else 1)
    assert torch.allclose(found[0, 0], expected, atol=1 / 256)
    assert torch.equal(found[1], plain[1])
    assert use == "multiply" or bounds[0] == (5, 5, 40, 30)
