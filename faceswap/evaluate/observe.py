"""What is measured of one face in one pair of frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap import color, geometry, masks, resample
from faceswap.faces.align import canonical_landmarks, patch_from_frame
from faceswap.faces.base import Detection
from faceswap.faces.pose import pose_of
from faceswap.faces.views import sample_rgb
from faceswap.figures import detail, motion, seam, tone
from faceswap.schemes import FIVE, SCHEMES, anchors_of
from faceswap.types import CropSpec, Face, Frame, Matrix

_CROP = CropSpec(128, "whole_face")
"""The aligned patch in which the mask is drawn and motion is followed."""
_ERODE, _FEATHER = 0.0, 0.08
_PAD_PX = 12
"""Room around the mask, for the rings outside the seam."""
_EYE, _MOUTH = (0.30, 0.17), (0.52, 0.30)
"""Half axes of the places of eyes and mouth, in inter-ocular distances."""


class Pair(NamedTuple):
    """One quantity of the input and of the result."""

    before: float
    after: float


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Raw figures of one face in one pair of frames; `summary` makes ratios of them, over shots."""

    frame: int
    shot: int
    track: int
    seconds: float
    iod_px: float
    crop: NDArray[np.float64]
    """(5, 2) px: where the crop's template lies in the frame; it moves as the crop does."""
    change: float
    """Mean absolute difference of luma under the mask, in 8-bit codes."""
    edge: Pair
    step: float
    skin: Pair
    eyes: Pair
    mouth: Pair
    """RMS of fine detail there."""
    grain: float
    """Noise inside the mask over that outside, result / input."""
    grain_size: float
    lab_before: NDArray[np.float64]
    lab_after: NDArray[np.float64]
    warp: Pair
    """Warping error along the input's motion; NaN in the first frame of a track."""
    eye_opening: Pair
    mouth_opening: Pair
    points_before: NDArray[np.float64] | None
    """(5, 2) anchors as found in the frame itself; None = the detector found no face there."""
    points_after: NDArray[np.float64] | None

    @property
    def turn_degrees(self) -> float:
        """How far the head looks elsewhere than in the input: the larger difference of yaw and pitch; NaN = not seen."""
        if self.points_before is None or self.points_after is None:
            return float("nan")
        before, after = (pose_of(points, FIVE) for points in (self.points_before, self.points_after))
        return max(abs(after.yaw - before.yaw), abs(after.pitch - before.pitch))


@dataclass(slots=True)
class Observer:
    """Measures faces frame by frame; remembers each track's last patches for the motion between frames."""

    _last: dict[int, tuple[int, NDArray, NDArray]] = field(default_factory=dict)
    """Track -> frame number, (128, 128) luma of input and result."""

    def observe(
        self,
        before: Frame,
        after: Frame,
        face: Face,
        shot: int,
        found: tuple[Detection | None, Detection | None],
        alpha: NDArray | None = None,
    ) -> Observation | None:
        """Return the figures of a face; None when too little of it is in the picture.

        Args:
            face: of the input's face index; the swap lies where the input's face was.
            found: what a detector sees of it in input and result.
            alpha: (h, w) [0, 1] of the whole frame, where the true mask is known; None = the face's outline.
        """
        place = _place_of(before, face, alpha)
        if place is None:
            return None
        luma = [_luma(f, place) for f in (before, after)]
        to_roi = geometry.translation(-place.x, -place.y)
        lab = [color.lab(sample_rgb(f, to_roi, place.size)) for f in (before, after)]
        edge = seam.find_seam(place.alpha)
        is_core = (place.alpha > 0.9) & (place.eyes + place.mouth < 0.01)
        is_outside = place.alpha < 0.01
        inside, outside = ([detail.grain(y, region) for y in luma] for region in (is_core, is_outside))
        patches = [resample.warp(y, place.patch_from_roi, (_CROP.size, _CROP.size)) for y in luma]
        eye_box, mouth_box = _boxes()
        return Observation(
            frame=before.index,
            shot=shot,
            track=face.track,
            seconds=before.time.seconds,
            iod_px=place.iod_px,
            crop=_crop_points(face),
            change=float((np.abs(luma[1] - luma[0]) * place.alpha).sum() / place.alpha.sum()),
            edge=Pair(*(seam.edge_contrast(y, edge) for y in luma)),
            step=seam.seam_step(lab[0], lab[1], edge),
            skin=Pair(*(detail.band_energy(y, is_core.astype(np.float32)) for y in luma)),
            eyes=Pair(*(detail.band_energy(y, place.eyes) for y in luma)),
            mouth=Pair(*(detail.band_energy(y, place.mouth) for y in luma)),
            grain=detail.grain_ratio(*((i[0], o[0]) for i, o in zip(inside, outside, strict=True))),
            grain_size=detail.grain_size_ratio(*inside),
            lab_before=tone.mean_lab(lab[0], place.alpha),
            lab_after=tone.mean_lab(lab[1], place.alpha),
            warp=self._warping(before.index, face.track, patches, place.patch_alpha),
            eye_opening=Pair(*(motion.opening(patch, eye_box) for patch in patches)),
            mouth_opening=Pair(*(motion.opening(patch, mouth_box) for patch in patches)),
            points_before=None if found[0] is None else anchors_of(found[0].landmarks, found[0].scheme),
            points_after=None if found[1] is None else anchors_of(found[1].landmarks, found[1].scheme),
        )

    def _warping(self, frame: int, track: int, patches: list[NDArray], alpha: NDArray) -> Pair:
        last = self._last.get(track)
        self._last[track] = (frame, patches[0], patches[1])
        if last is None or last[0] != frame - 1:
            return Pair(float("nan"), float("nan"))
        codes = [np.clip(patch + 0.5, 0, 255).astype(np.uint8) for patch in (last[1], patches[0])]
        places, is_trusted = motion.flow_between(*codes)
        weight = alpha * is_trusted
        return Pair(
            motion.warping_error(last[1], patches[0], places, weight),
            motion.warping_error(last[2], patches[1], places, weight),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """The rectangle of the frame around a face, and what is where in it."""

    x: int
    y: int
    size: tuple[int, int]
    alpha: NDArray[np.float32]
    eyes: NDArray[np.float32]
    mouth: NDArray[np.float32]
    iod_px: float
    patch_from_roi: Matrix
    patch_alpha: NDArray[np.float32]


def _place_of(frame: Frame, face: Face, alpha: NDArray | None) -> _Place | None:
    matrix = patch_from_frame(face, _CROP)
    points = canonical_landmarks(face)
    hull = masks.shape_edge(
        masks.face_hull(points, _CROP, face.scheme),
        erode=_ERODE * _CROP.size,
        feather=_FEATHER * _CROP.size,
    )
    rows, columns = np.nonzero(hull[0])
    corners = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.min()]], dtype=np.float64)
    corners = np.concatenate([corners, [[columns.min(), rows.max() + 1], [columns.max() + 1, rows.max() + 1]]])
    frame_from_patch = geometry.invert(matrix)
    x0, y0, x1, y1 = geometry.bounding_rect(
        geometry.apply(frame_from_patch, corners), frame.size, pad=_PAD_PX, multiple=2
    )
    size = (y1 - y0, x1 - x0)
    if min(size) < 2 * _PAD_PX:
        return None
    to_roi = geometry.translation(-x0, -y0)
    roi_from_patch = geometry.compose(to_roi, frame_from_patch)
    mask = alpha[y0:y1, x0:x1] if alpha is not None else resample.warp(hull[0], roi_from_patch, size)
    mask = mask.astype(np.float32)
    if np.count_nonzero(mask > 0.5) < 64 or np.count_nonzero(mask < 0.5) < 64:
        return None
    assert face.frame_from_canonical is not None
    canonical_from_roi = geometry.invert(geometry.compose(to_roi, face.frame_from_canonical))
    x, y = _grid(size, canonical_from_roi)
    five = anchors_of(points, face.scheme)
    eyes = np.maximum(*(_ellipse(x, y, centre, _EYE) for centre in five[:2]))
    mouth = _ellipse(x, y, five[3:].mean(axis=0), _MOUTH)
    iod = geometry.scale_of(face.frame_from_canonical)
    return _Place(x0, y0, size, mask, eyes * mask, mouth * mask, iod, geometry.invert(roi_from_patch), hull[0])


def _crop_points(face: Face) -> NDArray[np.float64]:
    assert face.frame_from_canonical is not None
    return geometry.apply(face.frame_from_canonical, SCHEMES[FIVE].template)


def _luma(frame: Frame, place: _Place) -> NDArray[np.float32]:
    """Return (h, w) float32 luma in 8-bit steps; green stands for it in RGB footage."""
    (height, width), step = place.size, 2.0 ** (8 - frame.color.bit_depth)
    return frame.planes[0][place.y : place.y + height, place.x : place.x + width].astype(np.float32) * np.float32(step)


def _grid(size: tuple[int, int], matrix: Matrix) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where the centre of each pixel goes."""
    columns, rows = (np.arange(n, dtype=np.float32) + 0.5 for n in (size[1], size[0]))
    linear, offset = matrix[:, :2].astype(np.float32), matrix[:, 2].astype(np.float32)
    x = linear[0, 0] * columns + linear[0, 1] * rows[:, None] + offset[0]
    y = linear[1, 0] * columns + linear[1, 1] * rows[:, None] + offset[1]
    return x, y


def _ellipse(x: NDArray, y: NDArray, centre: NDArray, axes: tuple[float, float]) -> NDArray[np.float32]:
    distance = ((x - centre[0]) / axes[0]) ** 2 + ((y - centre[1]) / axes[1]) ** 2
    return np.clip((1 - distance) * 4, 0, 1).astype(np.float32)


def _boxes() -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the places of both eyes and of the mouth in the aligned patch."""
    to_patch = geometry.patch_from_canonical(_CROP)

    def box(x: float, y: float, half_x: float, half_y: float) -> tuple[slice, slice]:
        (x0, y0), (x1, y1) = geometry.apply(to_patch, np.array([[x - half_x, y - half_y], [x + half_x, y + half_y]]))
        return slice(int(y0), int(y1) + 1), slice(int(x0), int(x1) + 1)

    return box(0, 0, 0.8, 0.17), box(0, 1.155, 0.5, 0.35)
