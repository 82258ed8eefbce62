"""A face on a ground, moving a little, and the faults a swap may have; each as a clip of float RGB pictures."""

from __future__ import annotations

import cv2
import numpy as np
from clips import astronaut_picture

SIZE = (160, 200)
NUM = 20


def alpha() -> np.ndarray:
    """(h, w) float32: a soft ellipse."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    distance = np.hypot((x - 100) / 45, (y - 80) / 55)
    return np.clip((1.08 - distance) / 0.16, 0, 1)


def clip(seed: int = 0) -> np.ndarray:
    """(T, h, w, 3) float32 RGB [0, 1]: real texture that drifts by a third of a px a frame, with grain."""
    picture = cv2.resize(astronaut_picture((320, 400)), (SIZE[1] + 40, SIZE[0] + 40)).astype(np.float32) / 255
    rng = np.random.default_rng(seed)
    frames = []
    for t in range(NUM):
        shift = np.array([[1, 0, -10 - t / 3], [0, 1, -10 - t / 5]], dtype=np.float32)
        frames.append(cv2.warpAffine(picture, shift, (SIZE[1], SIZE[0]), flags=cv2.INTER_CUBIC))
    return np.clip(np.stack(frames) + rng.normal(0, 0.008, (NUM, *SIZE, 3)), 0, 1).astype(np.float32)


def blended(clean: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """The changed pictures inside the mask."""
    return clean + (changed - clean) * alpha()[None, ..., None]


def blur(clean: np.ndarray, strength: float) -> np.ndarray:
    """Gaussian blur of `strength` px inside the mask."""
    return blended(clean, np.stack([cv2.GaussianBlur(f, (0, 0), strength) for f in clean]))


def cast(clean: np.ndarray, strength: float) -> np.ndarray:
    """A warm cast of about `strength` dE inside the mask."""
    return blended(clean, clean + np.array([1.0, 0.15, -0.9], dtype=np.float32) * 0.011 * strength)


def flicker(clean: np.ndarray, strength: float) -> np.ndarray:
    """Brightness that changes at random by `strength` (share) inside the mask."""
    gains = 1 + strength * np.random.default_rng(1).uniform(-1, 1, NUM).astype(np.float32)
    return blended(clean, clean * gains[:, None, None, None])


def jitter(clean: np.ndarray, strength: float) -> np.ndarray:
    """The inside of the mask shaken at random by `strength` px."""
    moves = np.random.default_rng(2).normal(0, strength, (NUM, 2)).astype(np.float32)
    shaken = [
        cv2.warpAffine(f, np.array([[1, 0, dx], [0, 1, dy]]), (SIZE[1], SIZE[0]), flags=cv2.INTER_CUBIC)
        for f, (dx, dy) in zip(clean, moves, strict=True)
    ]
    return blended(clean, np.stack(shaken))


def hard_edge(clean: np.ndarray, strength: float) -> np.ndarray:
    """A step of brightness `strength` at the contour, as a hard mask leaves it, that fades to nothing towards the middle."""
    inside = (alpha() > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    step = inside * np.exp(-depth / 6)
    return clean + strength * step[None, ..., None].astype(np.float32)


def less_grain(clean: np.ndarray, strength: float) -> np.ndarray:
    """A share `strength` of the grain taken out inside the mask; the picture under it stays."""
    quiet = clip(seed=0) * 0
    for seed in range(8):
        quiet = quiet + clip(seed) / 8
    return blended(clean, clean + strength * (quiet - clean))


FAULTS = {
    "blur": (blur, (0.4, 0.6, 0.9, 1.4, 2.0)),
    "cast": (cast, (1, 2, 4, 6, 8)),
    "flicker": (flicker, (0.01, 0.02, 0.04, 0.08, 0.12)),
    "jitter": (jitter, (0.25, 0.5, 1.0, 1.5, 2.5)),
    "hard edge": (hard_edge, (0.03, 0.06, 0.1, 0.15, 0.25)),
    "less grain": (less_grain, (0.2, 0.4, 0.6, 0.8, 1.0)),
}
"""Fault -> how to make it, five strengths from weak to strong."""
