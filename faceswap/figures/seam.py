"""The edge of a swapped face, measured in pixels of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_BAND_PX = 2.0
_RING_PX = (3.0, 8.0)
_NUM_SECTORS = 48
_MIN_PIXELS = 4
"""Of a ring in a sector; with fewer it says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Seam:
    """Where the edge of a mask lies in a picture."""

    distance: NDArray[np.float32]
    """(h, w) px to the contour alpha = 0.5; positive inside."""
    normal: NDArray[np.float32]
    """(2, h, w) unit vectors (x, y) across the contour."""
    sector: NDArray[np.intp]
    """(h, w) number of the direction from the mask's middle, 0 to 47."""


def find_seam(alpha: NDArray) -> Seam:
    """Return the edge of a mask.

    Args:
        alpha: (h, w) [0, 1]; some of it above 0.5, some below.
    """
    inside = (alpha > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    distance = distance - np.where(inside, np.float32(0.5), np.float32(-0.5))  # the contour runs between two pixels
    soft = cv2.GaussianBlur(distance, (0, 0), 1.5)  # of a staircase, the direction of the stairs
    gradient = np.stack([cv2.Scharr(soft, cv2.CV_32F, 1, 0), cv2.Scharr(soft, cv2.CV_32F, 0, 1)])
    normal = gradient / np.maximum(np.linalg.norm(gradient, axis=0), 1e-6)
    rows, columns = np.nonzero(inside)
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    angle = np.arctan2(y - rows.mean(), x - columns.mean()) / (2 * np.pi) + 0.5
    return Seam(distance, normal, np.minimum((angle * _NUM_SECTORS).astype(np.intp), _NUM_SECTORS - 1))


def edge_contrast(luma: NDArray, seam: Seam) -> float:
    """Return the mean |dI/dn| within 2 px of the contour: how much the picture changes across it.

    The seam gradient ratio is this figure of the result over that of the untouched input; 0.9 to 1.1 is good. Above, an edge
    shows; below, the picture is smeared along the contour.

    Args:
        luma: (h, w) float32, any unit.
    """
    across = cv2.Scharr(luma, cv2.CV_32F, 1, 0) * seam.normal[0] + cv2.Scharr(luma, cv2.CV_32F, 0, 1) * seam.normal[1]
    return float(np.abs(across[np.abs(seam.distance) <= _BAND_PX]).mean() / 32)  # Scharr's weights add up to 32 a px


def seam_step(before: NDArray, after: NDArray, seam: Seam) -> float:
    """Return the median dE2000 of the step that the swap added at the seam; below 1 is invisible, above 3 shows.

    Rings from 3 to 8 px inside and outside the contour are compared in 48 directions. Where the colour outside went on
    the way from input to output (encoding), the colour inside should have gone too; what remains is the step.
    A plain difference of the two steps' dE would drown in the step that is there anyway, between skin and hair.

    Args:
        before, after: (3, h, w) CIE L*, a*, b*.
    """
    near, far = _RING_PX
    is_inner = (seam.distance >= near) & (seam.distance <= far)
    is_outer = (seam.distance <= -near) & (seam.distance >= -far)
    inner_old, inner_new = (_sector_means(lab, is_inner, seam.sector) for lab in (before, after))
    outer_old, outer_new = (_sector_means(lab, is_outer, seam.sector) for lab in (before, after))
    steps = delta_e_lab(inner_new, inner_old + outer_new - outer_old)
    return float(np.nanmedian(steps)) if np.isfinite(steps).any() else float("nan")


def _sector_means(lab: NDArray, chosen: NDArray, sector: NDArray) -> NDArray[np.float64]:
    """Return (48, 3) mean colours; NaN where a sector has too few pixels."""
    numbers = sector[chosen]
    counts = np.bincount(numbers, minlength=_NUM_SECTORS)
    sums = np.stack([np.bincount(numbers, lab[c][chosen], minlength=_NUM_SECTORS) for c in range(3)], axis=1)
    return np.where(counts[:, None] >= _MIN_PIXELS, sums / np.maximum(counts, 1)[:, None], np.nan)


def delta_e_lab(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """Return dE2000 (CIE 142-2001) between (..., 3) CIE Lab colours."""
    from skimage.color import deltaE_ciede2000

    return deltaE_ciede2000(a, b)


def outside_difference(before: NDArray, after: NDArray, support: NDArray) -> tuple[int, float]:
    """Return the largest difference of a plane outside a mask (codes) and the PSNR there (dB).

    A PSNR of inf = identical, of NaN = there is nothing outside.
    Before encoding the largest difference is exactly 0: untouched samples are the decoder's own.

    Args:
        before, after: (h, w) uint8 or uint16 codes. support: (h, w) bool, True where a face may have been pasted.
    """
    difference = np.abs(after.astype(np.int32) - before.astype(np.int32))[~support]
    if not difference.size:
        return 0, float("nan")
    top = 255 if before.dtype == np.uint8 else float(2 ** max(8, int(before.max()).bit_length()) - 1)
    error = float(np.square(difference, dtype=np.float64).mean())
    return int(difference.max()), float("inf") if error == 0 else float(10 * np.log10(top**2 / error))
