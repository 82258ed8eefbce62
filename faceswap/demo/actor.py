"""The demo's actor: an astronaut and her android, moving, in clips that are made from one portrait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.demo.motion import Pose, pose_at, sampling_points
from faceswap.demo.portrait import Picture, Portrait, load_portrait

_GOLD_LAB = np.array([5.0, 24.0], dtype=np.float32)
"""a*, b* of the android's skin: pale gold."""
_YELLOW = np.array([0.95, 0.78, 0.16], dtype=np.float32)
_GRAIN = 0.008


@dataclass(frozen=True, slots=True)
class ActorLook:
    """Make-up, face shape, and the set she is filmed on."""

    is_android: bool
    narrow_jaw: float
    """Share by which jaw and chin are narrowed."""
    backdrop: tuple[tuple[float, float, float], tuple[float, float, float]]
    """RGB [0, 1] of the background's upper and lower end."""
    lamps: tuple[float, float, float]
    """RGB [0, 1] of the lights behind her."""
    warmth: float
    """Colour of the key light; > 0 is warm."""


ASTRONAUT = ActorLook(False, 0.0, ((0.05, 0.08, 0.16), (0.16, 0.20, 0.30)), (0.75, 0.85, 1.0), 0.04)
ANDROID = ActorLook(True, 0.16, ((0.20, 0.15, 0.13), (0.10, 0.09, 0.11)), (1.0, 0.72, 0.45), -0.03)


def render_clip(
    look: ActorLook, *, num_frames: int, size: tuple[int, int] = (480, 640), seed: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield (H, W, 3) uint8 RGB frames at 25 a second; the same arguments give the same frames."""
    portrait = load_portrait()
    layers = np.dstack([made_up(portrait, look), portrait.person])
    random = np.random.default_rng(seed)
    phases = random.uniform(0, 2 * np.pi, 12)
    backdrop = _backdrop(look, size, random)
    grain = random.normal(0, _GRAIN, (size[0] + 64, size[1] + 64, 1)).astype(np.float32)
    for index in range(num_frames):
        pose = pose_at(index, phases)
        points = sampling_points(pose, portrait.depth, size, narrow_jaw=look.narrow_jaw)
        warped = cv2.remap(layers, points, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        matte = np.clip(warped[..., 3:], 0, 1)
        lit = warped[..., :3] * _light(pose, look, size)
        picture = lit * matte + _moved(backdrop, pose, size) * (1 - matte)
        dy, dx = random.integers(0, 64, 2)
        picture = picture + grain[dy : dy + size[0], dx : dx + size[1]]
        yield (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def made_up(portrait: Portrait, look: ActorLook) -> Picture:
    """Return the portrait (512, 512, 3) as the look wants it."""
    if not look.is_android:
        return portrait.rgb
    lab = cv2.cvtColor(portrait.rgb, cv2.COLOR_RGB2Lab)
    skin, hair = portrait.skin[..., None], portrait.hair[..., None]
    powdered = lab.copy()
    powdered[..., 0] = 12 + 0.92 * lab[..., 0]
    powdered[..., 1:] = 0.2 * lab[..., 1:] + 0.8 * _GOLD_LAB
    lab = lab + skin * (powdered - lab)
    slick = lab * np.array([0.42, 0.3, 0.3], dtype=np.float32)
    lab = lab + 0.9 * hair * (slick - lab)
    rgb = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_Lab2RGB), 0, 1)
    luminance = cv2.GaussianBlur(rgb.mean(axis=2, keepdims=True), (0, 0), 0.6)[..., None]
    iris = portrait.iris[..., None]
    yellow = _YELLOW * np.clip(0.55 + 0.9 * luminance, 0, 1.1)
    return (rgb + 0.92 * iris * (yellow - rgb)).astype(np.float32)


def _light(pose: Pose, look: ActorLook, size: tuple[int, int]) -> Picture:
    """Return the (H, W, 3) light that falls on her: a slowly turning gradient, exposure and warmth."""
    height, width = size
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    gradient = pose.exposure * (1 + 0.22 * pose.light_x * x + 0.12 * pose.light_y * y)
    warmth = look.warmth + pose.warmth
    return (gradient * np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)).astype(np.float32)


def _backdrop(look: ActorLook, size: tuple[int, int], random: np.random.Generator) -> Picture:
    """Return lights out of focus on a gradient, larger than the frame on all sides."""
    height, width = size[0] + 80, size[1] + 160
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, bottom = (np.array(color, dtype=np.float32) for color in look.backdrop)
    canvas = np.repeat(top + share * (bottom - top), width, axis=1)
    lamps = np.zeros((height, width), dtype=np.float32)
    for _ in range(26):
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        disc = np.zeros_like(lamps)
        cv2.circle(disc, centre, int(random.integers(8, 30)), float(random.uniform(0.05, 0.3)), -1, cv2.LINE_AA)
        lamps += disc
    return canvas + cv2.GaussianBlur(lamps, (0, 0), 3.0)[..., None] * np.array(look.lamps, dtype=np.float32)


def _moved(backdrop: Picture, pose: Pose, size: tuple[int, int]) -> Picture:
    shift = np.array([[1, 0, -80 + 70 * pose.pan], [0, 1, -40]], dtype=np.float64)
    return cv2.warpAffine(backdrop, shift, (size[1], size[0]), flags=cv2.INTER_LINEAR)


def render_sound(num_seconds: float, *, sample_rate: int = 48000, seed: int) -> NDArray[np.float32]:
    """Return a quiet arpeggio as (1, N) float32 mono [-1, 1], another one for each seed."""
    steps = np.array([0, 3, 7, 10, 12, 10, 7, 3])
    time = np.arange(round(num_seconds * sample_rate)) / sample_rate
    note = np.floor(time * 4).astype(int)
    frequency = 220 * 2 ** ((steps[(note + seed) % len(steps)] + seed % 5) / 12)
    envelope = np.exp(-6 * (time * 4 - note)) * np.minimum(1, (time * 4 - note) * 50)
    return (0.12 * envelope * np.sin(2 * np.pi * frequency * time)).astype(np.float32)[None]
