"""The NASA portrait of Eileen Collins (public domain, shipped by scikit-image) taken apart: person, depth, skin, eyes.

All places are px of that 512x512 picture, measured once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import masks

Picture = NDArray[np.float32]

FACE_CENTRE = (224.0, 122.0)
IRISES = ((203.4, 101.3), (247.0, 103.6))
BROWS = ((203.0, 88.0), (250.0, 92.0))
MOUTH = (223.0, 145.0)
CHIN = (222.0, 168.0)
_IRIS_RADIUS, _PUPIL_RADIUS = 4.3, 1.7
_HEAD_RADII = (72.0, 92.0)
_HEAD_DEPTH = 62.0

_FACE_OUTLINE = [
    (183, 92), (186, 80), (200, 77), (215, 80), (232, 82), (248, 85), (262, 90), (268, 100), (270, 118), (268, 134),
    (264, 149), (256, 162), (246, 172), (232, 179), (222, 180), (208, 176), (196, 166), (188, 152), (184, 138), (182, 122),
]  # fmt: skip
_NECK = [(186, 148), (189, 176), (204, 185), (236, 190), (252, 186), (257, 158), (222, 176)]
_EARS = [[(171, 119), (181, 121), (182, 132), (175, 128)], [(268, 130), (279, 130), (274, 137), (267, 136)]]
_GAPS = [
    [(140, 140), (178, 135), (182, 140), (184, 147), (165, 146), (145, 150)],
    [(271, 141), (300, 135), (310, 185), (285, 183), (261, 171), (264, 158)],
]
_TEETH = [(204, 140), (243, 141), (236, 148), (224, 151), (212, 148)]


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """The picture and its layers, all 512x512 float32 [0, 1] unless said otherwise."""

    rgb: Picture
    """(512, 512, 3)"""
    person: Picture
    """1 = the astronaut, 0 = the studio behind her."""
    depth: Picture
    """Height of the head above the picture plane, px."""
    skin: Picture
    hair: Picture
    iris: Picture


def load_portrait() -> Portrait:
    """Return the portrait with its layers."""
    from skimage.data import astronaut

    picture = astronaut()
    rgb = picture.astype(np.float32) / 255
    person = _person_matte(picture)
    skin = _skin_mask(rgb)
    return Portrait(rgb, person, _head_depth(), skin, _hair_mask(rgb, person, skin), _iris_mask())


def _person_matte(picture: NDArray[np.uint8]) -> Picture:
    """Separate the person from the grey studio background by GrabCut, then let the edge follow the hair."""
    labels = np.full(picture.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
    cv2.ellipse(labels, (226, 95), (82, 92), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.fillPoly(
        labels, [np.array([(60, 512), (90, 230), (150, 150), (290, 165), (370, 240), (420, 512)])], cv2.GC_PR_FGD
    )
    cv2.ellipse(labels, (224, 110), (52, 68), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.fillPoly(labels, [np.array([(130, 512), (170, 190), (290, 200), (340, 512)])], cv2.GC_FGD)
    labels[:, :40] = labels[:2] = cv2.GC_BGD
    # Between ears and collar the studio shows through.
    for gap in _GAPS:
        cv2.fillPoly(labels, [np.array(gap)], cv2.GC_BGD)
    labels[:150, 320:] = labels[:120, :130] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    is_person = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    is_person = cv2.morphologyEx(is_person, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(is_person)
    largest = (parts == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()).astype(np.float32)
    largest = cv2.erode(largest, np.ones((3, 3), np.uint8))
    matte = masks.guided_filter(largest[None], picture.transpose(2, 0, 1).astype(np.float32) / 255, radius=3)[0]
    matte = cv2.GaussianBlur(np.clip((matte - 0.15) / 0.7, 0, 1), (0, 0), 0.8)
    matte[:3] = 0
    return matte


def _head_depth() -> Picture:
    y, x = np.mgrid[:512, :512].astype(np.float32) + 0.5
    radius = ((x - FACE_CENTRE[0]) / _HEAD_RADII[0]) ** 2 + ((y - FACE_CENTRE[1] + 8) / _HEAD_RADII[1]) ** 2
    return (_HEAD_DEPTH * np.clip(1 - radius, 0, 1) ** 1.5).astype(np.float32)


def _filled(polygons: list[list[tuple[int, int]]], softness: float) -> Picture:
    canvas = np.zeros((512, 512), dtype=np.float32)
    for polygon in polygons:
        cv2.fillPoly(canvas, [np.array(polygon, dtype=np.int32)], 1.0, lineType=cv2.LINE_AA)
    return cv2.GaussianBlur(canvas, (0, 0), softness)


def _skin_mask(rgb: Picture) -> Picture:
    outline = _filled([_FACE_OUTLINE, _NECK, *_EARS], 1.2)
    teeth = _filled([_TEETH], 1.0)
    eyes = np.zeros((512, 512), dtype=np.float32)
    for x, y in IRISES:
        cv2.ellipse(eyes, (round(x), round(y)), (9, 4), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    luminance = cv2.GaussianBlur(rgb.mean(axis=2), (0, 0), 1.0)
    is_light = np.clip((luminance - 0.28) / 0.15, 0, 1)  # strands, brows and lashes are darker than any skin here
    return outline * (1 - teeth) * (1 - cv2.GaussianBlur(eyes, (0, 0), 0.8)) * is_light


def _hair_mask(rgb: Picture, person: Picture, skin: Picture) -> Picture:
    head = np.zeros((512, 512), dtype=np.float32)
    cv2.ellipse(head, (227, 84), (80, 84), 0, 0, 360, 1.0, -1)
    cv2.rectangle(head, (0, 136), (511, 511), 0.0, -1)
    face = _filled([_FACE_OUTLINE, *_EARS], 2.0)
    return cv2.GaussianBlur(head, (0, 0), 2.0) * person * (1 - face) * (1 - skin)


def _iris_mask() -> Picture:
    y, x = np.mgrid[:512, :512].astype(np.float32) + 0.5
    result = np.zeros((512, 512), dtype=np.float32)
    for iris_x, iris_y in IRISES:
        distance = np.hypot(x - iris_x, y - iris_y)
        ring = np.clip(_IRIS_RADIUS - distance + 0.5, 0, 1) * np.clip(distance - _PUPIL_RADIUS + 0.5, 0, 1)
        # The upper lid hides the top of the iris.
        result = np.maximum(result, ring * np.clip((y - iris_y + 3.4) / 1.5, 0, 1))
    return result
