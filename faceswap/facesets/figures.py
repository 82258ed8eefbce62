"""What can be measured of one crop without a network: sharpness, light, colour, occlusion, hash, look. Pure functions.

Everything is measured on one view: the face cut out of the crop by its template at one scale, whatever the crop's size and
coverage are. So figures of different facesets can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, masks, resample
from faceswap.faces.pose import pose_of
from faceswap.facesets.schema import FaceRecord, Figures
from faceswap.schemes import anchors_of
from faceswap.types import CropSpec

VIEW = CropSpec(size=160, coverage="face")
"""What is measured: 52 px to the inter-ocular distance, about what a 256 px crop of a whole face holds. A face that has
fewer in its frame has less detail than this view could show, and counts as less sharp."""
_FACE_HEIGHT = 2.72
"""Of the face's outline (`masks.face_hull`), in inter-ocular distances."""
_FINE, _COARSE = (0.8, 1.6), (3.2, 6.4)
"""Standard deviations (px of the view) between which lie the two bands of `sharpness_of`: two octaves apart."""
_BAND_FLOOR = 0.5
"""Grey values: what a flat picture holds in each band. Without it, noise over nothing would be sharp."""
_SHADE_FLOOR, _TINT_FLOOR = 16.0, 5.0
"""Least standard deviations of skin in L and in a, b (8-bit Lab): pores, make-up, a flush are no obstacles."""
_ODD_SIGMAS = 3.0
_FEATURES = (
    # Where a face is not skin: (x, y, half width, half height) in inter-ocular distances; eyes with brows, mouth, nostrils.
    (-0.5, -0.2, 0.5, 0.46),
    (0.5, -0.2, 0.5, 0.46),
    (0.0, 1.2, 0.66, 0.42),
    (0.0, 0.68, 0.34, 0.16),
)
LOOK_SIZE = 16 * 16 + 2 * 8 * 8


def measure(rgb: NDArray, record: FaceRecord, crop: CropSpec) -> Figures:
    """Return the figures of a crop.

    Args:
        rgb: (S, S, 3) uint8, the crop.
    """
    view, face = face_view(rgb, record.landmarks, record.scheme, crop)
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    lab = cv2.cvtColor(view, cv2.COLOR_RGB2LAB).astype(np.float32) - (0, 128, 128)
    tint = lab[face > 0.5][:, 1:].mean(axis=0)
    frame_from_patch = geometry.invert(record.patch_from_frame)
    pose = pose_of(geometry.apply(frame_from_patch, record.landmarks), record.scheme)
    frame_from_canonical = geometry.compose(frame_from_patch, geometry.patch_from_canonical(crop))
    light = _light(grey, face)
    return Figures(
        yaw=pose.yaw,
        pitch=pose.pitch,
        roll=pose.roll,
        face_px=_FACE_HEIGHT * geometry.scale_of(frame_from_canonical),
        sharpness=sharpness_of(grey, face),
        brightness=light[0],
        contrast=light[1],
        balance=light[2],
        hue=float(np.degrees(np.arctan2(tint[1], tint[0]))),
        chroma=float(np.hypot(*tint)),
        occlusion=occlusion_of(view, face),
        hash=hash_of(grey),
        look=look_of(view),
    )


def face_view(
    rgb: NDArray, landmarks: NDArray, scheme: str, crop: CropSpec
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the view of a crop, (160, 160, 3) uint8 RGB, and the face's outline in it, (160, 160) [0, 1]."""
    view_from_canonical = geometry.patch_from_canonical(VIEW)
    canonical_from_patch = geometry.invert(geometry.patch_from_canonical(crop))
    view = resample.warp(rgb, geometry.compose(view_from_canonical, canonical_from_patch), (VIEW.size, VIEW.size))
    anchors = geometry.apply(canonical_from_patch, anchors_of(landmarks, scheme))
    return view, masks.face_hull(anchors, VIEW)[0]


def sharpness_of(grey: NDArray[np.float32], face: NDArray[np.float32]) -> float:
    """Return fine detail relative to coarse structure, both inside the face.

    The ratio of the root mean squares of two bands of the picture, two octaves apart. Light and contrast cancel out; since
    pictures of things have about as much in each octave, it depends on the focus alone: 0.4 and more are sharp,
    below 0.25 soft. Grain and codec blocks count as detail.
    """
    inside = cv2.erode(face, np.ones((9, 9))) > 0.5  # the outline against the background is not the face's own detail
    if not inside.any():
        return 0.0
    fine, coarse = (
        np.sqrt((_band(grey, *sigmas)[inside] ** 2).mean() + _BAND_FLOOR**2 * is_floor)
        for sigmas, is_floor in ((_FINE, 0), (_COARSE, 1))
    )
    return float(fine / coarse)


def _band(grey: NDArray[np.float32], small: float, large: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(grey, (0, 0), small) - cv2.GaussianBlur(grey, (0, 0), large)


def _light(grey: NDArray[np.float32], face: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return mean, standard deviation, and light of the right half against the left."""
    inside = face > 0.5
    half = grey.shape[1] // 2
    left, right = (
        float(grey[:, part][inside[:, part]].mean()) if inside[:, part].any() else 0.0
        for part in (slice(None, half), slice(half, None))
    )
    values = grey[inside]
    return float(values.mean()), float(values.std()), (right - left) / max(right + left, 1.0)


def occlusion_of(view: NDArray[np.uint8], face: NDArray[np.float32]) -> float:
    """Return the share of the face that does not look like its skin, eyes, brows, mouth and nostrils left out.

    The face's own skin is learnt from cheeks, nose and forehead: its shade as a plane (light from one side is no obstacle),
    its tint as one colour, both by medians. It finds microphones, hair, masks, dark glasses; not hands (they are skin). A
    beard and hard shadows count, too: compare within one person.
    """
    odd = odd_skin(view, face)
    return float(odd.sum() / max((_skin_of(face) > 0).sum(), 1))


def odd_skin(view: NDArray[np.uint8], face: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return (80, 80): where the face is unlike its own skin."""
    small = cv2.resize(view, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    skin = _skin_of(face)
    sample = skin & _SAMPLE_PLACES
    if sample.sum() < 50:
        return skin
    colors, places = lab[sample], _SHADE_PLANE[sample]
    is_usual = np.ones(len(colors), dtype=bool)
    for _ in range(3):
        plane, *_ = np.linalg.lstsq(places[is_usual], colors[is_usual, 0], rcond=None)
        tint = np.median(colors[is_usual, 1:], axis=0)
        rest = _unlike(colors, places, plane, tint)
        spread = np.clip(1.48 * np.median(np.abs(rest[is_usual]), axis=0), _FLOORS, 1.5 * _FLOORS)
        sigmas = np.abs(rest / spread).max(axis=-1)
        is_usual = sigmas <= max(_ODD_SIGMAS, float(np.median(sigmas)))
    sigmas = np.abs(_unlike(lab[skin], _SHADE_PLANE[skin], plane, tint) / spread).max(axis=-1)
    odd = np.zeros_like(skin)
    odd[skin] = sigmas > _ODD_SIGMAS
    return odd


def _unlike(
    colors: NDArray[np.float32], places: NDArray[np.float32], plane: NDArray[np.float32], tint: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (N, 3) differences from the skin; shine counts half."""
    shade = colors[:, 0] - places @ plane
    return np.column_stack([np.where(shade > 0, 0.5 * shade, shade), colors[:, 1:] - tint])


def _skin_of(face: NDArray[np.float32]) -> NDArray[np.bool_]:
    half = cv2.resize(face, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return (cv2.erode(half, np.ones((5, 5))) > 0.5) & _SKIN_PLACES


_FLOORS = np.array([_SHADE_FLOOR, _TINT_FLOOR, _TINT_FLOOR], dtype=np.float32)


def _places(ellipses: Sequence[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    """Return (80, 80): what lies in any of some ellipses around (x, y) with half axes, in inter-ocular distances."""
    half = CropSpec(VIEW.size // 2, VIEW.coverage)
    canonical = geometry.invert(geometry.patch_from_canonical(half))
    centres = np.arange(half.size) + 0.5
    x, y = np.meshgrid(centres * canonical[0, 0] + canonical[0, 2], centres * canonical[1, 1] + canonical[1, 2])
    inside = [((x - left) / width) ** 2 + ((y - top) / height) ** 2 <= 1 for left, top, width, height in ellipses]
    return np.any(inside, axis=0)


_SKIN_PLACES = ~_places(_FEATURES)
_SHADE_PLANE = np.dstack([np.ones((80, 80)), *np.meshgrid(*[np.linspace(-0.5, 0.5, 80)] * 2)]).astype(np.float32)
"""(80, 80, 3): 1, x, y of each place; shade is a plane over it."""
_SAMPLE_PLACES = _places([(-0.55, 0.6, 0.35, 0.4), (0.55, 0.6, 0.35, 0.4), (0, 0.25, 0.2, 0.4), (0, -0.55, 0.5, 0.2)])


def hash_of(grey: NDArray[np.float32]) -> str:
    """Return 64 bits as 16 hexadecimal digits: which of 8 x 8 low frequencies are stronger than their median."""
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small)[:8, :8].ravel()
    return np.packbits(low > np.median(low[1:])).tobytes().hex()


def hash_distance(a: str, b: str) -> int:
    """Return the number of bits in which two hashes differ."""
    return (int(a, 16) ^ int(b, 16)).bit_count()


def look_of(view: NDArray[np.uint8]) -> bytes:
    """Return what a face looks like in 384 bytes: 16 x 16 shades with mean and contrast made equal, 8 x 8 tints twice."""
    lab = cv2.cvtColor(view, cv2.COLOR_RGB2LAB)
    shade = cv2.resize(lab[:, :, 0], (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
    shade = (shade - shade.mean()) / max(float(shade.std()), 4.0) * 40 + 128
    tints = [cv2.resize(lab[:, :, i], (8, 8), interpolation=cv2.INTER_AREA) for i in (1, 2)]
    return b"".join(np.clip(np.rint(part), 0, 255).astype(np.uint8).tobytes() for part in (shade, *tints))


def looks_as_vectors(looks: list[bytes]) -> NDArray[np.float32]:
    """Return (N, 384) vectors; the root mean square of two vectors' difference is how unlike the faces look.

    Unit: about one grey value of 255 at usual contrast. Tints count four times.
    """
    values = np.frombuffer(b"".join(looks), dtype=np.uint8).reshape(len(looks), LOOK_SIZE).astype(np.float32)
    values[:, 256:] *= 4
    return values
