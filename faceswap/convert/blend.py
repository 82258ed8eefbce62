"""Cutting patches out of frames and pasting them back: pure functions on planes.

The paste works on the decoded planes: the patch is turned into the frame's own code values at patch size, each plane
is warped into place, and only samples whose alpha is not zero are written. All others stay the decoder's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color, geometry, resample
from faceswap.convert.grain import Grain
from faceswap.errors import ShapeError
from faceswap.faces.align import patch_from_frame
from faceswap.faces.views import sample_rgb
from faceswap.types import CropSpec, Face, Frame, Matrix, Patch


def cut(frame: Frame, face: Face, crop: CropSpec) -> Patch:
    """Return the aligned crop of a face; no mask yet."""
    matrix = patch_from_frame(face, crop)
    return Patch(sample_rgb(frame, matrix, (crop.size, crop.size)), None, matrix)


def paste(frame: Frame, patch: Patch, grain: Grain | None = None) -> Frame:
    """Return `frame` with `patch` composited over the place it was cut from.

    Args:
        grain: noise that is laid over the patch (in RGB the same in all planes).

    Convention: `patch.patch_from_frame` maps frame px to patch px (continuous coordinates).

    Returns:
        A new frame, same layout and time. Samples where the warped mask is 0 are bit-identical.

    Raises:
        ShapeError: the patch has no mask.
    """
    if patch.mask is None:
        raise ShapeError(f"{patch} cannot be pasted without a mask")
    codes = color.transform(patch.pixels, color.codes_from_rgb(frame.color))
    luma_from_patch = geometry.invert(patch.patch_from_frame)
    support = _support_corners(patch.mask)
    if support is None:
        return frame
    top = 2**frame.color.bit_depth - 1
    luma_from_chroma = geometry.luma_from_chroma(frame.layout.chroma_shift, frame.color.siting)
    chroma_from_patch = geometry.compose(geometry.invert(luma_from_chroma), luma_from_patch)
    luma, chroma = (
        _placed(patch.mask[0], plane_from_patch, plane.shape, support)
        for plane_from_patch, plane in ((luma_from_patch, frame.planes[0]), (chroma_from_patch, frame.planes[1]))
    )
    planes = [
        _paste_plane(plane, values, placed, top, _noise(frame, grain, placed, i))
        for i, (plane, values, placed) in enumerate(zip(frame.planes[:3], codes, (luma, chroma, chroma), strict=True))
    ]
    return replace(frame, planes=(*planes, *frame.planes[3:]))


def _noise(frame: Frame, grain: Grain | None, placed: _Placed | None, plane: int) -> NDArray[np.float32] | None:
    """Return the noise for a plane of the pasted face, in code values; None = none."""
    if grain is None or placed is None:
        return None
    return grain.codes((placed.alpha.shape[0], placed.alpha.shape[1]), frame, 0 if frame.layout.is_rgb else plane)


def alpha_of(size: tuple[int, int], patches: Sequence[Patch]) -> NDArray[np.float32]:
    """Return how much of each pixel the patches cover together when pasted one over the other.

    Args:
        size: (h, w) px of the frame.

    Returns:
        (h, w) float32 [0, 1]; the very alpha that `paste` uses for luma.
    """
    total = np.zeros(size, dtype=np.float32)
    for patch in patches:
        if patch.mask is None:
            raise ShapeError(f"{patch} covers nothing without a mask")
        placed = _placed(patch.mask[0], geometry.invert(patch.patch_from_frame), size, _support_corners(patch.mask))
        if placed is not None:
            total[placed.place] += placed.alpha * (1 - total[placed.place])
    return total


def lay_rgb(picture: NDArray[np.float32], patch: Patch) -> NDArray[np.float32]:
    """Return a (3, h, w) float32 RGB picture with `patch` composited over it: `paste` for pictures that are RGB."""
    if patch.mask is None:
        raise ShapeError(f"{patch} cannot be laid over a picture without a mask")
    frame_from_patch = geometry.invert(patch.patch_from_frame)
    placed = _placed(patch.mask[0], frame_from_patch, picture.shape[1:], _support_corners(patch.mask))
    if placed is None:
        return picture
    result = picture.copy()
    for channel, values in zip(result, patch.pixels, strict=True):
        new = resample.warp(values, placed.roi_from_patch, placed.alpha.shape, is_smooth=True, is_anchored=True)
        channel[placed.place] += placed.alpha * (new - channel[placed.place])
    return result


class _Placed(NamedTuple):
    """A mask in a plane."""

    place: tuple[slice, slice]
    """Rows and columns of the plane."""
    roi_from_patch: Matrix
    """(2, 3) from patch px to px of that rectangle."""
    alpha: NDArray[np.float32]
    """(h, w) [0, 1], the mask's samples in that rectangle."""


def _placed(mask: NDArray, plane_from_patch: Matrix, size: tuple[int, ...], support: NDArray | None) -> _Placed | None:
    """Return where a mask lies in a plane of `size` (h, w), and its samples there; None where it is outside or empty.

    Args:
        mask: (S, S) [0, 1]. support: (4, 2) corners in patch px outside which it is 0; None = everywhere.
    """
    if support is None:
        return None
    x0, y0, x1, y1 = _support_rect(plane_from_patch, size, support)
    if x1 == x0:
        return None
    roi_from_patch = geometry.compose(geometry.translation(-x0, -y0), plane_from_patch)
    is_smooth = resample.enlarges_much(roi_from_patch)
    size = (y1 - y0, x1 - x0)
    alpha = resample.warp(mask, roi_from_patch, size, is_smooth=is_smooth, is_anchored=True, border=cv2.BORDER_CONSTANT)
    if is_smooth:  # the cubic reaches a little beyond 0 and 1
        np.clip(alpha, 0, 1, out=alpha)
    return _Placed((slice(y0, y1), slice(x0, x1)), roi_from_patch, alpha)


def _support_rect(plane_from_patch: Matrix, size: tuple[int, ...], support: NDArray) -> tuple[int, int, int, int]:
    # Interpolation spreads the mask by up to two patch px (cubic) and the area filter by one more plane px.
    pad = int(np.ceil(2 * np.linalg.norm(plane_from_patch[:, :2], axis=0).max())) + 1
    return geometry.bounding_rect(geometry.apply(plane_from_patch, support), (size[0], size[1]), pad=pad)


def _support_corners(mask: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the corners of the rectangle in patch px outside which the mask is 0."""
    rows, columns = np.flatnonzero(mask[0].any(axis=1)), np.flatnonzero(mask[0].any(axis=0))
    if not len(rows):
        return None
    x0, y0, x1, y1 = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def _paste_plane(plane: NDArray, values: NDArray, placed: _Placed | None, top: int, noise: NDArray | None) -> NDArray:
    """Blend one plane of the patch into a copy of one plane of the frame.

    Args:
        plane: (h, w) code values. values: (S, S) float32 code values. placed: the mask in this plane.
        top: largest code value. noise: (h, w) code values laid over the patch there; None = none.
    """
    if placed is None:
        return plane
    alpha, old = placed.alpha, plane[placed.place]
    new = resample.warp(values, placed.roi_from_patch, alpha.shape, is_smooth=True, is_anchored=True)
    mixed = old + alpha * (new - old)
    if noise is not None:
        # Where both pictures show through, their grains half cancel: alpha^2 + (1 - alpha)^2 of the energy is left. So much is
        # laid on that grain is as strong along the edge as on either side; over black it is the same premultiplied.
        mixed += np.sqrt(alpha * (2 - alpha)) * noise
    result = plane.copy()
    result[placed.place] = np.where(alpha > 0, np.clip(np.rint(mixed), 0, top), old)
    return result


def paste_reference(frame: Frame, patch: Patch) -> Frame:
    """`paste` written the obvious way, in float64 over whole planes: slow, and what `paste` is tested against."""
    assert patch.mask is not None
    codes = color.transform(patch.pixels, color.codes_from_rgb(frame.color))
    luma_from_chroma = geometry.luma_from_chroma(frame.layout.chroma_shift, frame.color.siting)
    planes = []
    for i, plane in enumerate(frame.planes[:3]):
        luma_from_plane = luma_from_chroma if i else geometry.translation(0, 0)
        patch_from_plane = geometry.compose(patch.patch_from_frame, luma_from_plane)
        alpha = _bilinear(patch.mask[0], patch_from_plane, plane.shape, outside=0.0)
        new = _bilinear(codes[i], patch_from_plane, plane.shape, outside=None)
        mixed = np.rint(plane + alpha * (new - plane)).clip(0, 2**frame.color.bit_depth - 1)
        planes.append(np.where(alpha > 0, mixed, plane).astype(plane.dtype))
    return replace(frame, planes=(*planes, *frame.planes[3:]))


def _bilinear(
    image: NDArray, image_from_plane: Matrix, size: tuple[int, ...], outside: float | None
) -> NDArray[np.float64]:
    """Sample `image` at every sample of a plane; `outside` None = the nearest edge value."""
    height, width = size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = geometry.apply(image_from_plane, np.stack([x.ravel(), y.ravel()], axis=1)) - 0.5
    low = np.floor(points).astype(int)
    share = points - low
    total = np.zeros(len(points))
    for dy in (0, 1):
        for dx in (0, 1):
            column, row = low[:, 0] + dx, low[:, 1] + dy
            weight = np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1])
            inside = (column >= 0) & (column < image.shape[1]) & (row >= 0) & (row < image.shape[0])
            values = image[row.clip(0, image.shape[0] - 1), column.clip(0, image.shape[1] - 1)].astype(np.float64)
            total += weight * (values if outside is None else np.where(inside, values, outside))
    return total.reshape(height, width)
