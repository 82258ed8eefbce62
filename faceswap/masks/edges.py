"""Edges of masks: onto edges of the picture, softened, closed."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SUPPORT_FLOOR = 1 / 512
"""Alphas below this cannot change a 8-bit sample by half a code; they are 0, so that the sample stays untouched."""

_REFINE_EPS = 1e-3
"""Squared intensity: skin's own texture (deviation 0.02) moves no edge, hair against skin (0.2) does."""
_CLEAR_CONTRAST = 4e-3
"""Variance at which the picture has half a say in where the edge is."""
_NEAR_GAIN = 3.0
"""A third of the way from 0 to 1 within reach makes a place one of the edge."""


@dataclass(frozen=True, slots=True)
class Sides:
    """An amount for each side of a patch as it lies before us: the face upright, left its left edge."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0

    @classmethod
    def all(cls, amount: float) -> Sides:
        """Return the same amount on each side."""
        return cls(amount, amount, amount, amount)

    def scaled(self, factor: float) -> Sides:
        """Return the amounts times a factor."""
        return Sides(*(amount * factor for amount in astuple(self)))

    @property
    def is_even(self) -> bool:
        """True when all sides have the same amount."""
        return len(set(astuple(self))) == 1


def guided_filter(mask: NDArray, guide: NDArray, *, radius: int, eps: float = 1e-3) -> NDArray[np.float32]:
    """Return the mask with its edges moved to edges of the picture (He, Sun & Tang 2013, grey guide).

    Args:
        mask: (1, S, S); guide: (3, S, S) RGB [0, 1]; radius in px; eps in squared intensity.
    """

    def mean(image: NDArray) -> NDArray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    grey, alpha = guide.mean(axis=0).astype(np.float32), mask[0].astype(np.float32)
    grey_mean, alpha_mean = mean(grey), mean(alpha)
    slope = (mean(grey * alpha) - grey_mean * alpha_mean) / (mean(grey * grey) - grey_mean**2 + eps)
    offset = alpha_mean - slope * grey_mean
    return np.clip(mean(slope) * grey + mean(offset), 0, 1)[None]


def refine_edge(mask: NDArray, picture: NDArray, radius: float) -> NDArray[np.float32]:
    """Return the mask with its soft edge drawn to edges of the picture near it: hairlines, collars, what covers the face.

    Only near the mask's own edge, so that eyes and brows stay whole; only where the picture has an edge, since on even skin the
    filter would merely blur.

    Args:
        mask: (1, S, S). picture: (3, S, S) RGB [0, 1], the footage. radius: how far edges may move, px; 0 = not at all.
    """
    reach = max(1, round(radius))
    if radius <= 0:
        return mask.astype(np.float32)
    drawn = guided_filter(mask, picture, radius=reach, eps=_REFINE_EPS)
    soft = mask[0].astype(np.float32)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.blur(cv2.dilate(soft, kernel) - cv2.erode(soft, kernel, borderType=cv2.BORDER_REPLICATE), (3, 3))
    grey = picture.mean(axis=0).astype(np.float32)
    size = (2 * reach + 1, 2 * reach + 1)
    contrast = np.maximum(cv2.blur(grey * grey, size) - cv2.blur(grey, size) ** 2, 0)
    share = np.clip(_NEAR_GAIN * near, 0, 1) * contrast / (contrast + _CLEAR_CONTRAST)
    return with_clean_support(mask + share * (drawn - mask))


def shape_edge(mask: NDArray, *, erode: float | Sides, feather: float) -> NDArray[np.float32]:
    """Return the mask shrunk by `erode` px with a soft edge `feather` px wide that lies inside the shrunk mask.

    Args:
        mask: (1, S, S).
        erode: px taken off all around, or at each side; 0 = none, less = the mask grows, up to where its soft edge still
            lies in the patch.
        feather: full width of the ramp from 0 to 1, px.
    """
    sides = erode if isinstance(erode, Sides) else Sides.all(erode)
    # The blur below reaches half the feather outwards; shrinking by that much first keeps the ramp inside.
    steps = np.array([round(amount + feather / 2) for amount in astuple(sides)])
    inner = _shrunk(mask[0].astype(np.float32), np.maximum(steps, 0))
    if steps.min() < 0:
        inner = _grown(inner, np.maximum(-steps, 0), closed=int(np.ceil(feather / 2)) + 1)
    if feather > 0:
        # Three sigma are half the feather: what lies beyond falls below the support's floor.
        inner = cv2.GaussianBlur(inner, (0, 0), feather / 6, borderType=cv2.BORDER_CONSTANT)
    return with_clean_support(inner[None])


def _shrunk(mask: NDArray[np.float32], steps: NDArray) -> NDArray[np.float32]:
    """Return a (S, S) mask without so many px at its top, bottom, left, right."""
    if not steps.any():
        return mask
    return cv2.erode(mask, _kernel(*steps), borderType=cv2.BORDER_CONSTANT, borderValue=0)


def _grown(mask: NDArray[np.float32], steps: NDArray, closed: int) -> NDArray[np.float32]:
    """Return a (S, S) mask with so many px more at its top, bottom, left, right, but none at the `closed` px of the rim."""
    top, bottom, left, right = steps
    # What is looked at to grow upwards lies below.
    result = cv2.dilate(mask, _kernel(bottom, top, right, left), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    result[:closed] = result[-closed:] = result[:, :closed] = result[:, -closed:] = 0
    return np.maximum(result, mask)


def _kernel(top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
    """Return the (2n + 1, 2n + 1) px around a px that lie within these distances of it: quarters of ellipses."""
    n = max(top, bottom, left, right)
    if top == bottom == left == right:
        return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * n + 1, 2 * n + 1)).astype(np.uint8)
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    high, wide = np.where(y < 0, top, bottom), np.where(x < 0, left, right)
    # Half a px more, as OpenCV's own ellipses have it: otherwise the ends of the axes would be single points.
    distance = (y / (high + 0.5)) ** 2 + (x / (wide + 0.5)) ** 2
    return ((distance <= 1) & (np.abs(y) <= high) & (np.abs(x) <= wide)).astype(np.uint8)


def with_clean_support(mask: NDArray) -> NDArray[np.float32]:
    """Return the mask with values too small to matter set to exactly 0, and the outermost px of the patch closed."""
    result = np.where(mask < SUPPORT_FLOOR, 0, mask).astype(np.float32)
    result[..., 0, :] = result[..., -1, :] = result[..., :, 0] = result[..., :, -1] = 0
    return result
