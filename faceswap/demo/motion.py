"""How the demo's actor moves: poses over time, and where each frame's pixels come from in the portrait."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.demo.portrait import BROWS, CHIN, FACE_CENTRE, IRISES, MOUTH

_RATE = 25.0
_ZOOM = 1.95
"""Frame px per portrait px: the face is then about 170 px from brow to chin."""
_BLINK_EVERY, _BLINK_FRAMES = 37, 7
_COARSE = 4
_LID_PX, _BROW_PX, _JAW_PX, _SMILE = 6.5, 2.6, 4.0, 0.10


@dataclass(frozen=True, slots=True)
class Pose:
    """The state of actor, light and camera in one frame."""

    yaw: float
    """Radians; likewise pitch and roll."""
    pitch: float
    roll: float
    x: float
    """Shift in frame px; likewise y."""
    y: float
    scale: float
    blink: float
    """0 = open, 1 = closed."""
    jaw: float
    """0 = as in the portrait, 1 = open."""
    smile: float
    """-1 = narrow, 1 = wide."""
    brows: float
    """0 = at rest, 1 = raised."""
    light_x: float
    light_y: float
    exposure: float
    warmth: float
    pan: float
    """Place of the background, [-1, 1]."""


def pose_at(index: int, phases: NDArray[np.float64]) -> Pose:
    """Return the pose of a frame.

    Args:
        phases: (12,) radians; other phases, another performance.
    """
    seconds = index / _RATE

    def wave(period: float, number: int) -> float:
        return float(np.sin(2 * np.pi * seconds / period + phases[number]))

    since_blink = (index + int(phases[0] * 10)) % _BLINK_EVERY
    blink = np.sin(np.pi * since_blink / _BLINK_FRAMES) if since_blink < _BLINK_FRAMES else 0.0
    return Pose(
        yaw=np.radians(15) * wave(4.1, 0) + np.radians(4) * wave(1.7, 1),
        pitch=np.radians(7) * wave(3.3, 2),
        roll=np.radians(6) * wave(5.2, 3),
        x=16 * wave(4.7, 4),
        y=7 * wave(3.9, 5),
        scale=1 + 0.05 * wave(6.1, 6),
        blink=float(blink),
        jaw=0.5 + 0.5 * wave(1.3, 7),
        smile=wave(2.9, 8),
        brows=max(0.0, wave(3.1, 9)),
        light_x=wave(5.7, 10),
        light_y=wave(4.3, 11),
        exposure=0.95 + 0.10 * wave(7.3, 1),
        warmth=0.03 * wave(6.7, 2),
        pan=wave(11.0, 3),
    )


def sampling_points(pose: Pose, depth: NDArray[np.float32], size: tuple[int, int], *, narrow_jaw: float) -> NDArray:
    """Return for every px of a frame its place in the portrait: (H, W, 2) float32 for `cv2.remap`.

    The head's relief is moved by yaw and pitch (a parallax warp), then the face's parts by its expression.
    """
    frame_x, frame_y = _coarse_grid(size)
    zoom = _ZOOM * pose.scale
    cos, sin = np.cos(pose.roll) / zoom, np.sin(pose.roll) / zoom
    x = frame_x - size[1] / 2 - pose.x
    y = frame_y - size[0] / 2 - pose.y
    x, y = FACE_CENTRE[0] + cos * x + sin * y, FACE_CENTRE[1] - sin * x + cos * y
    x, y = _turned(x, y, depth, pose)
    x, y = _expressed(x, y, pose)
    if narrow_jaw:
        weight = _bump(x, y, (CHIN[0], CHIN[1] - 6), (46, 26))
        x = x + narrow_jaw * weight * (x - CHIN[0])
        y = y - 10 * narrow_jaw * _bump(x, y, CHIN, (30, 14))
    coarse = np.dstack([x - 0.5, y - 0.5]).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=_COARSE, fy=_COARSE, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(fine[_COARSE : _COARSE + size[0], _COARSE : _COARSE + size[1]])


@lru_cache(maxsize=4)
def _coarse_grid(size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return every fourth px' centre, with one more on each side; motion is smooth, the rest is interpolated."""
    rows, columns = (-(-n // _COARSE) + 2 for n in size)
    y, x = (np.mgrid[:rows, :columns].astype(np.float32) - 0.5) * _COARSE
    return x, y


def _turned(x: NDArray, y: NDArray, depth: NDArray[np.float32], pose: Pose) -> tuple[NDArray, NDArray]:
    """Undo the head's turn: what is high moves far. Two fixed-point steps find the relief that ends up here."""
    source_x, source_y = x, y
    for _ in range(2):
        height = cv2.remap(
            depth, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_LINEAR, borderValue=0
        )
        source_x, source_y = x - height * np.sin(pose.yaw), y - height * np.sin(pose.pitch)
    return source_x, source_y


def _expressed(x: NDArray, y: NDArray, pose: Pose) -> tuple[NDArray, NDArray]:
    lift = np.zeros_like(y)
    for eye_x, eye_y in IRISES:
        lift += _LID_PX * pose.blink * _bump(x, y, (eye_x, eye_y - 1), (11, 4.5))
    for brow in BROWS:
        lift -= _BROW_PX * pose.brows * _bump(x, y, brow, (15, 6))
    lift += _JAW_PX * pose.jaw * _bump(x, y, (MOUTH[0], MOUTH[1] + 14), (26, 13))
    smile = _SMILE * pose.smile * _bump(x, y, MOUTH, (26, 12)) * (x - MOUTH[0])
    return x - smile, y - lift


def _bump(x: NDArray, y: NDArray, centre: tuple[float, float], radii: tuple[float, float]) -> NDArray:
    return np.exp(-0.5 * (((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2))
