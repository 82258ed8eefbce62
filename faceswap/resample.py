"""Pictures resampled under affine maps; the half-pixel rule lives here and nowhere else.

OpenCV puts integers on pixel centres, so a matrix handed to it becomes `b' = A·0.5 + b - 0.5` (`_opencv_matrix`);
`torch.nn.functional.grid_sample(align_corners=False)` uses our coordinates (`geometry`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.types import Matrix

if TYPE_CHECKING:
    import torch

_PREFILTER_BELOW = 0.75
"""A warp that shrinks by more than this is area-filtered first: bilinear sampling alone would alias."""


def _opencv_matrix(matrix: Matrix) -> Matrix:
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return shifted


def warp(
    image: NDArray,
    dst_from_src: Matrix,
    size: tuple[int, int],
    *,
    is_smooth: bool = False,
    is_anchored: bool = False,
    as_float: bool = False,
    border: int = cv2.BORDER_REPLICATE,
) -> NDArray:
    """Return `image` resampled into a picture of `size` (h, w).

    Only the part of `image` that is needed is touched; a direction in which the warp shrinks is area-filtered first.

    Args:
        image: (H, W) or (H, W, C), uint8, uint16 or float32.
        is_smooth: interpolate by Catmull-Rom's cubic instead of linearly; float32 only. Both keep ramps as they are.
        is_anchored: what shrinks is area-filtered from the corner of `image` on, whichever part of it is needed: a little more
            work, and the samples of a patch do not shift along a clip with the part that is seen of it.
        as_float: compute and return in float32; otherwise values are rounded to the type of `image`.
        border: OpenCV border mode for what lies outside `image`.
    """
    src_size = (image.shape[0], image.shape[1])
    is_whole = is_anchored and prefiltered_size(src_size, dst_from_src) != src_size
    x0, y0, x1, y1 = (0, 0, *src_size[::-1]) if is_whole else needed_rect(src_size, dst_from_src, size)
    image = image[y0:y1, x0:x1]
    if as_float:
        image = image.astype(np.float32, copy=False)
    dst_from_src = geometry.compose(dst_from_src, geometry.translation(x0, y0))
    image, dst_from_src = _prefiltered(image, dst_from_src)
    if is_smooth:
        image, dst_from_src = _interpolated(image, dst_from_src)
    return cv2.warpAffine(
        image, _opencv_matrix(dst_from_src), (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=border
    )


def needed_rect(src_size: tuple[int, int], dst_from_src: Matrix, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the (x0, y0, x1, y1) of a picture of `src_size` (h, w) that a warp into a picture of `size` (h, w) looks at.

    Replicated borders need the picture's own edge, so the rectangle never leaves it and keeps a few px around.
    """
    rect = geometry.bounding_rect(
        geometry.apply(geometry.invert(dst_from_src), geometry.corners_of(size)), src_size, pad=4
    )
    return rect if rect[2] > rect[0] else (0, 0, src_size[1], src_size[0])


def prefiltered_size(src_size: tuple[int, int], dst_from_src: Matrix) -> tuple[int, int]:
    """Return the (h, w) to which a warp first area-filters a picture, in the directions in which it shrinks."""
    if min(src_size) < 2:
        return src_size
    along_x, along_y = np.linalg.norm(dst_from_src[:, :2], axis=0)
    height, width = (
        max(1, round(n * scale)) if scale < _PREFILTER_BELOW else n
        for n, scale in zip(src_size, (along_y, along_x), strict=True)
    )
    return height, width


def _prefiltered(image: NDArray, dst_from_src: Matrix) -> tuple[NDArray, Matrix]:
    """Area-filter the directions in which a warp shrinks; subsampled chroma and single fields shrink in one more."""
    height, width = prefiltered_size((image.shape[0], image.shape[1]), dst_from_src)
    if (height, width) == image.shape[:2]:
        return image, dst_from_src
    dst_from_src = geometry.compose(dst_from_src, geometry.scaling(image.shape[1] / width, image.shape[0] / height))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dst_from_src


_PLACES = ((16.0, 8), (6.0, 4), (0.0, 2))
"""How many places between two samples are interpolated exactly when a picture is enlarged at least so many times; what lies
between them is linear. With too few, soft edges fall into facets that are seen on a large screen."""


def _interpolated(image: NDArray[np.float32], dst_from_src: Matrix) -> tuple[NDArray[np.float32], Matrix]:
    """Return a finer (nH, nW) picture and its matrix, n as the enlargement wants it.

    OpenCV's own cubic (a = -3/4) bends ramps by 5 % of their slope, and older versions of it know only 32 places between
    two samples. Linear interpolation of this picture has neither fault.
    """
    n = num_places(dst_from_src)
    result = np.empty((n * image.shape[0], n * image.shape[1]), dtype=np.float32)
    kernels = [catmull_rom((place + 0.5) / n - 0.5) for place in range(n)]
    for y, rows in enumerate(kernels):
        for x, columns in enumerate(kernels):
            result[y::n, x::n] = cv2.sepFilter2D(image, cv2.CV_32F, columns, rows, borderType=cv2.BORDER_REPLICATE)
    return result, geometry.compose(dst_from_src, geometry.scaling(1 / n))


def num_places(dst_from_src: Matrix) -> int:
    """Return at how many places between two samples a warp interpolates exactly."""
    scale = float(np.linalg.norm(dst_from_src[:, :2], axis=0).max())
    return next(n for least, n in _PLACES if scale >= least)


def catmull_rom(shift: float) -> NDArray[np.float64]:
    """Return the weights of samples -2..2 at a place `shift` samples behind sample 0 (Keys 1981, a = -1/2).

    Args:
        shift: -0.5 to 0.5.
    """
    t = np.abs(np.arange(-2, 3) - shift)
    return np.where(t < 1, 1.5 * t**3 - 2.5 * t**2 + 1, np.where(t < 2, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2, 0.0))


def enlarges_much(dst_from_src: Matrix) -> bool:
    """True when linear interpolation would be seen: masks are then interpolated like pictures."""
    return float(np.linalg.norm(dst_from_src[:, :2], axis=0).max()) >= _PLACES[1][0]


def warp_reference(image: torch.Tensor, dst_from_src: Matrix, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear `warp` of a (C, H, W) tensor by `grid_sample`, borders replicated: the reference, and the GPU's convention.

    It does not prefilter: compare it with `warp` at scales near or above 1.
    """
    import torch

    height, width = size
    src_from_dst = torch.as_tensor(geometry.invert(dst_from_src))
    ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    points = torch.stack([xs, ys], dim=-1).double() @ src_from_dst[:, :2].T + src_from_dst[:, 2]
    grid = points / torch.tensor([image.shape[-1], image.shape[-2]]) * 2 - 1
    return torch.nn.functional.grid_sample(
        image[None].float(), grid[None].float(), mode="bilinear", padding_mode="border", align_corners=False
    )[0]
