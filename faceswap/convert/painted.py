"""Hand-painted masks in patches: as painted where a frame has its own, carried along the track where it has none.

Between two painted frames of a shot both are carried to the frame: by the face's own motion (both are seen in template
coordinates), then by optical flow between the pictures, and blended by nearness and by how well the pictures agree. Before
the first and after the last painted frame of a shot the nearest one is carried on. Shots without any are left alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.convert.painted_files import PaintedFiles, read_mask
from faceswap.faces.align import patch_from_frame
from faceswap.faces.index import FaceIndex
from faceswap.faces.views import Orientation, sample_rgb, upright_from_frame
from faceswap.media.reader import VideoReader
from faceswap.types import CropSpec, Face, Matrix, Patch, Shot

_VIEW = CropSpec(320, "head")
"""How painted frames are kept: it holds every crop of a model."""
_FLOW_SIDE = 192
"""px at which motion is sought."""
_AGREEMENT = 0.08
"""Difference of pictures, of their whole range, at which a painted frame counts for 1/e."""


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """A painted frame as one face sees it, in `_VIEW`."""

    grey: NDArray[np.uint8]
    """(S, S)"""
    mask: NDArray[np.uint8]
    """(S, S)"""


@dataclass(slots=True, eq=False)
class PaintedMasks:
    """The painted masks of one clip."""

    files: PaintedFiles
    orientation: Orientation
    """How the clip is turned for display: masks are painted on what is seen."""
    shots: tuple[Shot, ...]
    keys: Mapping[tuple[int, int], _Key]
    """(frame, track) -> painted frames from which others are made."""
    _cache: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def in_patch(
        self, frame: int, face: Face, patch: Patch, crop: CropSpec, size: tuple[int, int]
    ) -> NDArray[np.float32] | None:
        """Return the painted mask over a face as (1, S, S) of its crop; None where none is painted in the face's shot.

        Args:
            frame: its number. size: (h, w) px of the picture that the patch was cut from: a frame, or a field of it.
        """
        if self.files.is_constant:
            return self._as_painted(-1, patch, crop, size)
        shot = self.shots[bisect_right(self.shots, frame, key=lambda s: s.start) - 1]
        here = self.files.inside(shot)
        if not here:
            return None
        if frame in self.files.by_frame:
            return self._as_painted(frame, patch, crop, size)
        place = bisect_left(here, frame)
        around = here[max(0, place - 1) : place + 1]
        carried = [self._carried(number, face, patch, crop, size) for number in around]
        if len(carried) == 1:
            return carried[0][0]
        share = (frame - around[0]) / (around[1] - around[0])
        weights = [(1 - share) * carried[0][1], share * carried[1][1]]
        total = weights[0] + weights[1]
        return ((weights[0] * carried[0][0] + weights[1] * carried[1][0]) / total).astype(np.float32)

    def _as_painted(self, number: int, patch: Patch, crop: CropSpec, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return a painted mask where it lies in the picture; -1 = the one for all frames."""
        mask = self._read(number)
        return _cut_mask(mask, self.orientation, patch.patch_from_frame, crop.size, size)[None]

    def _read(self, number: int) -> NDArray[np.float32]:
        if number not in self._cache:
            self._cache.clear()  # the faces of a frame share its mask; the next frame has another
            self._cache[number] = read_mask(self.files.by_frame.get(number, self.files.path))
        return self._cache[number]

    def _carried(
        self, number: int, face: Face, patch: Patch, crop: CropSpec, size: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return a painted frame's mask moved to this patch, (1, S, S), and how far it is to be believed, (S, S)."""
        key = self.keys.get((number, face.track))
        if key is None:  # that person was not seen in the painted frame
            return self._as_painted(number, patch, crop, size), np.ones((crop.size, crop.size), dtype=np.float32)
        side = min(crop.size, _FLOW_SIDE)
        scale = geometry.scaling(side / crop.size)
        small_from_view = geometry.compose(scale, geometry.patch_from_patch(crop, _VIEW))
        then = resample.warp(key.grey, small_from_view, (side, side))
        mask = resample.warp(key.mask.astype(np.float32) / 255, small_from_view, (side, side))
        now = cv2.resize(_grey(patch.pixels), (side, side), interpolation=cv2.INTER_AREA)
        flow = _flow(now, then)
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=2).astype(np.float32)
        moved_mask, moved = (
            cv2.remap(image, grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for image in (mask, then.astype(np.float32))
        )
        difference = cv2.GaussianBlur(np.abs(moved - now) / 255, (0, 0), side / 24)
        belief = np.exp(-difference / _AGREEMENT).astype(np.float32) + np.float32(1e-3)
        full = (crop.size, crop.size)
        return cv2.resize(moved_mask, full)[None], cv2.resize(belief, full)


def prepare_painted(
    files: PaintedFiles,
    reader: VideoReader,
    orientation: Orientation,
    index: FaceIndex,
    chosen: Mapping[int, Sequence[Face]],
) -> tuple[PaintedMasks, tuple[str, ...]]:
    """Return the painted masks of a clip, ready for rendering, and what is to be said of them.

    Reads the painted frames that stand beside frames without a mask.

    Raises:
        UsageError: a picture of another size than the clip's, or of a frame that the clip does not have.
    """
    displayed_size = upright_from_frame(reader.info.size, orientation)[1]
    files.require_fit(displayed_size, index.num_frames)
    keys: dict[tuple[int, int], _Key] = {}
    for number in _beside_gaps(files, index.shots):
        faces = chosen.get(number, ())
        if not faces:
            continue
        frames = reader.frames_from(number, index.frames) if number else iter(reader)
        frame = next(frames)
        mask = read_mask(files.by_frame[number])
        for face in faces:
            matrix = patch_from_frame(face, _VIEW)
            grey = _grey(sample_rgb(frame, matrix, (_VIEW.size, _VIEW.size)))
            seen = _cut_mask(mask, orientation, matrix, _VIEW.size, frame.size)
            keys[number, face.track] = _Key(grey, np.rint(seen * 255).astype(np.uint8))
    return PaintedMasks(files, orientation, index.shots, keys), _remarks(files, index.shots)


def _beside_gaps(files: PaintedFiles, shots: Sequence[Shot]) -> list[int]:
    """Return the painted frames that have a frame of the same shot beside them which is not painted."""
    return [
        number
        for shot in shots
        for number in files.inside(shot)
        if any(near in shot and near not in files.by_frame for near in (number - 1, number + 1))
    ]


def _remarks(files: PaintedFiles, shots: Sequence[Shot]) -> tuple[str, ...]:
    if files.is_constant:
        return ()
    remarks = []
    num_without = 0
    for number, shot in enumerate(shots, 1):
        painted = files.inside(shot)
        if not painted:
            num_without += 1
        elif painted[0] > shot.start or painted[-1] < shot.stop - 1:
            remarks.append(
                f"painted masks of shot {number}: frames before {painted[0]} and after {painted[-1]} take the nearest one, "
                "carried along"
            )
    if num_without:
        remarks.append(f"{num_without} shots have no painted mask and are masked as without any")
    return tuple(remarks)


def _cut_mask(
    mask: NDArray[np.float32], orientation: Orientation, patch_from_picture: Matrix, side: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the (side, side) part of a painted mask that a patch shows.

    Args:
        size: (h, w) of the picture in whose px `patch_from_picture` counts: a frame, or one of its fields (of half the lines;
            the half line between the two fields is less than painted edges are worth).
    """
    stored_size = mask.shape if orientation is None or orientation[0, 0] else mask.shape[::-1]
    picture_from_stored = geometry.scaling(size[1] / stored_size[1], size[0] / stored_size[0])
    displayed, _ = upright_from_frame((stored_size[0], stored_size[1]), orientation)
    patch_from_mask = geometry.compose(
        patch_from_picture, geometry.compose(picture_from_stored, geometry.invert(displayed))
    )
    return np.clip(resample.warp(mask, patch_from_mask, (side, side)), 0, 1)


def _grey(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(np.tensordot([0.299, 0.587, 0.114], pixels, axes=1), 0, 1) * 255).astype(np.uint8)


def _flow(now: NDArray[np.uint8], then: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (S, S, 2) px: from where in `then` each pixel of `now` came."""
    seeker = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return seeker.calc(now, then, None)
