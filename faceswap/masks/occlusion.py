"""What covers a face, without a trained network: pixels that look neither like this person nor like the swapped face.

Along each track the usual look of the face is learnt in template coordinates, in logarithms of light and colour, so that
another exposure or a lamp from the side is a smooth plane that is fitted away. The swapped face says in addition what may be
there now: where the mouth opens or an eye closes, it does so too. A pixel is covered when it is beyond what either shows
around that place. A patch of covered pixels counts when it is not confined to eyes, brows or mouth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.masks.drawing import canonical_grid
from faceswap.masks.edges import guided_filter
from faceswap.masks.regions import region_mask
from faceswap.schemes import anchors_of
from faceswap.types import CropSpec

Picture = NDArray[np.float32]

SIDE = 64
"""px of the square in which occluders are looked for."""
_DARK = 0.04
"""Added before the logarithm: noise in shadows says nothing."""

# Against the usual look (measured on six clips with painted-in hands, microphones, hair).
_SCALES = np.array([0.12, 0.04, 0.04], dtype=np.float32).reshape(3, 1, 1)
"""One doubt, in (log light, log red/green, log blue/green), beyond what is usual."""
_SPREADS = 1.75
"""Mean deviations over time that are usual."""
_FOLLOW, _FOLLOW_COVERED = 0.02, 0.004
"""Shares by which the usual look moves to a new frame: where the face is seen, where it is covered."""
_FIRST_SPREAD, _SPREAD_RANGE = 0.10, (0.01, 0.3)
_MAX_OFFSET = 2.0
"""Mean deviations by which one frame may differ when it is learnt: it may hold an occluder that was not recognised."""
_SAME_POSE, _FOLLOW_POSE, _HURRY = 0.08, 0.03, 3.0
"""Move of the nose, in inter-ocular distances, up to which the look is the usual one (at twice as much it says nothing); the
share by which the usual pose follows; by how much faster all is learnt in an unusual one."""
_KNOWN_AFTER = 16.0
"""Frames after which a place's usual look begins to count is half of this; it counts fully after one and a half."""

# Before anything is usual: colours against the upper half of the same face.
_STRANGE_SCALES = np.array([0.60, 0.12, 0.12], dtype=np.float32).reshape(3, 1, 1)
_STRANGE_SPREADS, _STRANGE_DARK = 3.0, 0.7

# Lips, chin and nostrils around an opening mouth, in inter-ocular distances beside, below and above it.
_JAW_BESIDE, _JAW_BELOW, _MIN_ABOVE = 0.12, 0.62, 0.2
_TINT = np.array([0.30, 0.15, 0.15], dtype=np.float32).reshape(3, 1, 1)
"""How far from the range of the face's own features something still passes for a part of it."""
_MIN_SHOWN = 100
"""px from which statistics are taken."""

_DOUBTS, _RAMP = (0.5, 1.0), 0.4
"""Doubts from which a pixel may be covered, from which it clearly is, and the width of the soft step."""
_MIN_AREA, _MIN_CLEAR, _MIN_OUTSIDE = 16, 16, 0.3
"""Smallest covered area outside of eyes, brows and mouth (px, and as a share of what is inside), smallest clear one (px)."""
_NOW = 0.6
"""Share of this frame in the steadied result."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One face at working size; (3, W, W) features and (W, W) maps in [0, 1]."""

    now: Picture
    swapped: Picture
    """Features of the swapped face, lit like the real one."""
    inside: Picture
    """Where the face may be."""
    expected: Picture
    """Eyes, brows, mouth."""
    mouth: Picture
    """Where lips, chin and nostrils go when the mouth opens."""
    upper: Picture
    """Above the tip of the nose."""
    pose: NDArray[np.float64]
    """(2,) way from between the eyes to the nose's tip, inter-ocular distances: tells how the head is turned."""


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """How one track usually looks; (3, W, W) features and (W, W) maps of the crop."""

    mean: Picture
    spread: Picture
    count: Picture
    """Frames in which a place was seen uncovered."""
    covered: Picture
    pose: NDArray[np.float64]

    def likeness(self, pose: NDArray[np.float64]) -> float:
        """Return how well the head is turned as usual, [0, 1]: otherwise its usual look says little."""
        return float(np.clip(2 - np.linalg.norm(pose - self.pose) / _SAME_POSE, 0, 1))


class OcclusionModel:
    """Learns how each track looks and tells what covers it; a face's result depends on the faces given before it."""

    def __init__(self) -> None:
        self._looks: dict[tuple[int, int], _Look] = {}

    def visible(
        self,
        key: tuple[int, int],
        original: Picture,
        swapped: Picture,
        mask: Picture,
        crop: CropSpec,
        canonical_landmarks: NDArray,
        scheme: str,
    ) -> Picture:
        """Return (1, S, S) in [0, 1]: 1 where nothing is in front of the face.

        Args:
            key: (shot, track). original, swapped: (3, S, S) RGB [0, 1]. mask: (1, S, S) [0, 1], where the face may be.
            crop: of all three, the same for a whole track.
            canonical_landmarks: (N, 2) points of `scheme` in template coordinates.
        """
        small = (_small(original), _small(swapped), _small(mask))
        return _enlarged(self.visible_small(key, *small, crop, canonical_landmarks, scheme), original)

    def visible_small(
        self,
        key: tuple[int, int],
        original: Picture,
        swapped: Picture,
        mask: Picture,
        crop: CropSpec,
        canonical_landmarks: NDArray,
        scheme: str,
    ) -> Picture:
        """Return (W, W) in [0, 1]: 1 where nothing is in front of the face.

        Args:
            original, swapped, mask: as for `visible`, area-filtered to `SIDE` px.
        """
        seen = _look_at(original, swapped, mask, replace(crop, size=SIDE), canonical_landmarks, scheme)
        look = self._looks.get(key)
        covered = _covered(seen, look)
        if look is not None:
            covered = _NOW * covered + (1 - _NOW) * look.covered
        self._looks[key] = _learnt(look, seen, covered)
        # The rim of an occluder is mixed with the face.
        visible: Picture = 1 - cv2.dilate(covered, _KERNEL)
        return visible


def _look_at(original: Picture, swapped: Picture, mask: Picture, crop: CropSpec, points: NDArray, scheme: str) -> _Seen:
    now, inside = _features(original), mask[0]
    anchors = anchors_of(points, scheme)
    return _Seen(
        now=now,
        swapped=_lit_like(_features(swapped), now, inside),
        inside=inside,
        expected=region_mask(points, crop, ("eyes", "brows", "mouth"), scheme)[0],
        mouth=_around_mouth(anchors, crop),
        upper=(canonical_grid(crop)[1] < anchors[2, 1]).astype(np.float32),
        pose=anchors[2] - anchors[:2].mean(axis=0),
    )


def _enlarged(visible: Picture, original: Picture) -> Picture:
    """Return the (W, W) result at the size of the patch, its edges on edges of the picture."""
    size = original.shape[-1]
    if visible.min() >= 1:
        return np.ones((1, size, size), dtype=np.float32)
    large = cv2.resize(visible, (size, size), interpolation=cv2.INTER_LINEAR)[None]
    return guided_filter(large, original, radius=max(1, round(size / SIDE)))


def _around_mouth(anchors: NDArray, crop: CropSpec) -> Picture:
    """Return (W, W) in [0, 1]: where lips, chin and nostrils go when a mouth opens."""
    *_, nose, left, right = anchors
    middle = (left + right) / 2
    half = np.linalg.norm(right - left) / 2 + _JAW_BESIDE
    x, y = canonical_grid(crop)
    reach = np.where(y > middle[1], _JAW_BELOW, max(_MIN_ABOVE, float(middle[1] - nose[1])))
    distance = np.hypot((x - middle[0]) / half, (y - middle[1]) / reach)
    return np.clip((1 - distance) * 4 + 0.5, 0, 1).astype(np.float32)


def _small(picture: Picture) -> Picture:
    if picture.shape[-1] == SIDE:
        return picture
    planes = np.ascontiguousarray(picture.transpose(1, 2, 0))
    way = cv2.INTER_AREA if picture.shape[-1] > SIDE else cv2.INTER_LINEAR
    small = cv2.resize(planes, (SIDE, SIDE), interpolation=way)
    return np.ascontiguousarray(np.atleast_3d(small).transpose(2, 0, 1))


def _features(rgb: Picture) -> Picture:
    """Return (3, W, W): logarithms of light, red/green, blue/green."""
    red, green, blue = np.log(np.maximum(rgb, 0) + _DARK)
    return np.stack([0.3 * red + 0.6 * green + 0.1 * blue, red - green, blue - green]).astype(np.float32)


_AXIS = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE - 0.5
_PLANES = np.stack([np.ones((SIDE, SIDE), np.float32), *np.meshgrid(_AXIS, _AXIS)]).reshape(3, -1)


def _lit_like(reference: Picture, now: Picture, weight: Picture) -> Picture:
    """Return the reference under the light of now: plus the plane, in each feature, that explains most of the face."""
    basis, flat = _PLANES, (now - reference).reshape(3, -1)
    weight = weight.reshape(-1)
    shift = np.zeros_like(flat)
    for round_ in range(3):
        if round_:
            # What differs much (the occluder) has no say.
            off = (np.abs(flat - shift) / _SCALES.reshape(3, 1)).max(axis=0)
            trusted = weight / (1 + off**2) ** 2
        else:
            trusted = weight
        weighted = basis * trusted
        gram = weighted @ basis.T + 1e-3 * np.eye(3, dtype=np.float32)
        shift = (np.linalg.solve(gram, weighted @ flat.T).T @ basis).astype(np.float32)
    return reference + shift.reshape(reference.shape)


def _covered(seen: _Seen, look: _Look | None) -> Picture:
    """Return (W, W) in [0, 1]: how surely each pixel shows something else than the face."""
    now, possible = seen.now, seen.inside > 0.05
    known = np.zeros_like(seen.inside) if look is None else np.clip(look.count / _KNOWN_AFTER - 0.5, 0, 1)
    surely = doubt = (1 - known) * _strange(seen)
    if look is not None:
        usual = _lit_like(look.mean, now, seen.inside * known * (1 - look.covered))
        margin = _SPREADS * look.spread
        low, high = _lowest(usual - margin), _highest(usual + margin)
        trust = known * look.likeness(seen.pose)
        doubt = doubt + trust * _beyond(now, low, high, _SCALES)
        # What moves by itself may look as the swapped face does there, and like lips and chin around an open mouth.
        low += seen.expected * np.minimum(0, _lowest(seen.swapped) - low)
        high += seen.expected * np.maximum(0, _highest(seen.swapped) - high)
        moved = 1 - seen.mouth * _is_of_the_face(now, usual, seen.inside * known)
        surely = surely + trust * _beyond(now, low, high, _SCALES) * moved
    doubt, surely = doubt * possible, surely * possible
    weak, strong = _DOUBTS
    return np.clip((doubt - weak) / _RAMP + 0.5, 0, 1) * _counted(doubt > weak, surely > strong, seen.expected)


def _beyond(now: Picture, low: Picture, high: Picture, scales: Picture) -> Picture:
    """Return (W, W): how far the features are outside of a range, in units of `scales`."""
    return np.sqrt(((np.maximum(0, np.maximum(low - now, now - high)) / scales) ** 2).sum(axis=0))


def _strange(seen: _Seen) -> Picture:
    """Return (W, W): doubts before the usual look of a place is known: colours that no skin of this face has.

    Dark things may be hair, a beard or a shadow; they are never doubted here.
    """
    now = seen.now
    sample = now[:, (seen.inside > 0.5) & (seen.upper > 0.5)]
    if sample.shape[1] < _MIN_SHOWN:
        return np.zeros_like(seen.inside)
    middle = np.median(sample, axis=1).reshape(3, 1, 1)
    width = 1.5 * np.median(np.abs(sample - middle.reshape(3, 1)), axis=1).reshape(3, 1, 1)
    low = np.minimum(middle - _STRANGE_SPREADS * width, _lowest(seen.swapped))
    high = np.maximum(middle + _STRANGE_SPREADS * width, _highest(seen.swapped))
    return _beyond(now, low, high, _STRANGE_SCALES) * (now[0] > middle[0] - _STRANGE_DARK)


_KERNEL = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def _is_of_the_face(now: Picture, usual: Picture, weight: Picture) -> NDArray[np.bool_]:
    """Return (W, W): pixels whose light and colour the face usually shows somewhere."""
    shown = usual[:, weight > 0.9]
    if shown.shape[1] < _MIN_SHOWN:
        return np.zeros(now.shape[1:], dtype=np.bool_)
    low, high = np.quantile(shown, (0.02, 0.98), axis=1).reshape(2, 3, 1, 1)
    return np.logical_and.reduce((now > low - _TINT) & (now < high + _TINT))


def _lowest(features: Picture) -> Picture:
    return np.stack([cv2.erode(plane, _KERNEL) for plane in features])


def _highest(features: Picture) -> Picture:
    return np.stack([cv2.dilate(plane, _KERNEL) for plane in features])


def _counted(weak: NDArray[np.bool_], strong: NDArray[np.bool_], expected: Picture) -> Picture:
    """Return (W, W) in [0, 1]: the doubtful areas that are large, clear somewhere, and not confined to eyes, brows or mouth."""
    count, labels = cv2.connectedComponents(weak.astype(np.uint8))
    flat = labels.ravel()
    areas, clear, within = (
        np.bincount(flat, weights=weights, minlength=count)
        for weights in (None, strong.ravel().astype(np.float64), expected.ravel().astype(np.float64))
    )
    is_counted = (clear >= _MIN_CLEAR) & (areas - within >= np.maximum(_MIN_AREA, _MIN_OUTSIDE * within))
    is_counted[0] = False
    return cv2.dilate(is_counted[labels].astype(np.float32), _KERNEL)


def _learnt(look: _Look | None, seen: _Seen, covered: Picture) -> _Look:
    now, inside = seen.now, seen.inside
    if look is None:
        return _Look(now, np.full_like(now, _FIRST_SPREAD), inside, covered, seen.pose)
    count = look.count + inside * (1 - covered)
    hurry = 1 + _HURRY * (1 - look.likeness(seen.pose))
    rate = np.maximum(_FOLLOW * hurry, 1 / np.maximum(count, 1)) * (1 - covered) + _FOLLOW_COVERED * covered
    rate = rate * inside
    usual = _lit_like(look.mean, now, inside * (1 - covered))
    limit = _MAX_OFFSET * look.spread * hurry
    offset = np.clip(now - usual, -limit, limit)
    mean = look.mean + rate * offset
    spread = np.clip(look.spread + rate * (np.abs(offset) - look.spread), *_SPREAD_RANGE)
    return _Look(mean, spread, count, covered, look.pose + _FOLLOW_POSE * hurry * (seen.pose - look.pose))
