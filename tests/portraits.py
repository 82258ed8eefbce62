"""Facesets of one real face, varied in known ways: for tests that measure and sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from clips import _astronaut
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.faces.align import frame_from_canonical
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.media.pictures import write_picture
from faceswap.types import FIVE, CropSpec

POINTS = np.array([[203.2, 101.7], [247.0, 104.5], [223.3, 125.1], [203.4, 142.3], [241.3, 144.4]])
"""The five points of the astronaut, px of the photograph."""
CROP = CropSpec(size=128, coverage="whole_face", margin=0.12)
Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def portrait(crop: CropSpec = CROP, *, turn: float = 0.0, scale: float = 1.0) -> tuple[NDArray[np.uint8], FaceRecord]:
    """Return a crop of the astronaut and its record without figures.

    Args:
        turn: degrees by which the frame is turned, clockwise. scale: of the frame against the photograph.
    """
    angle = np.radians(turn)
    frame_from_photo = geometry.from_similarity(geometry.Similarity(np.log(scale), angle, 300.0, 20.0))
    landmarks = geometry.apply(frame_from_photo, POINTS)
    matrix = geometry.compose(
        geometry.patch_from_canonical(crop), geometry.invert(frame_from_canonical(landmarks, FIVE))
    )
    rgb = resample.warp(_astronaut(), geometry.compose(matrix, frame_from_photo), (crop.size, crop.size))
    box = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
    in_crop = geometry.apply(matrix, landmarks)
    return rgb, FaceRecord("faces/x.png", "c" * 64, 0, 0, "1/25", 0, 0, 0.9, box, in_crop, matrix)


def portrait_set(
    path: Path, changes: Sequence[Change], *, actor: str = "anna", clip: str = "c" * 64, crop: CropSpec = CROP
) -> FaceSet:
    """Write a faceset: frame i of one track is the astronaut changed by `changes[i]`."""
    store = FaceSet.create(path, actor, crop)
    rgb, record = portrait(crop)
    records = []
    for i, change in enumerate(changes):
        name = f"faces/{clip[:8]}-{i:06d}-0.png"
        write_picture(path / name, change(rgb.copy()))
        records.append(replace(record, file=name, clip=clip, frame=i, pts=i))
    store.add_clip(clip, Path(f"{clip[:4]}.mp4"), 1, len(changes), records)
    return store


def same(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change nothing."""
    return rgb


def blurred(sigma: float) -> Change:
    """Blur by a Gaussian."""
    return lambda rgb: cv2.GaussianBlur(rgb, (0, 0), sigma)


def brighter(gain: float, offset: float = 0.0) -> Change:
    """Multiply and add."""
    return lambda rgb: np.clip(rgb * gain + offset, 0, 255).astype(np.uint8)


def covered(share: float) -> Change:
    """Put a green bar over the lower part."""

    def change(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rgb[round(len(rgb) * (1 - share)) :] = (20, 160, 40)
        return rgb

    return change
