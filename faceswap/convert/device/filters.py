"""Batched filters in the conventions of the OpenCV calls that they stand for, so that both paths give one picture."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Border = Literal["zero", "reflect", "replicate"]
"""What lies outside: 0, the picture mirrored about its outermost px (OpenCV's default, "reflect 101"), or these px again."""
_PAD: dict[Border, str] = {"zero": "constant", "reflect": "reflect", "replicate": "replicate"}


@lru_cache(maxsize=32)
def gaussian(sigma: float, device: torch.device) -> Tensor:
    """Return the (n,) float32 kernel that OpenCV makes for float pictures: 4 sigmas to each side."""
    half = (round(sigma * 8 + 1) | 1) // 2
    x = torch.arange(-half, half + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (x / sigma) ** 2)
    return (weights / weights.sum()).float().to(device)


def blur(pictures: Tensor, sigma: float, border: Border = "reflect") -> Tensor:
    """Return (B, C, h, w) float32 pictures blurred by a Gaussian."""
    return separable(pictures, gaussian(sigma, pictures.device), border)


def separable(pictures: Tensor, kernel: Tensor, border: Border) -> Tensor:
    """Return (B, C, h, w) pictures filtered along both axes by one symmetrical (n,) kernel, n odd."""
    half = len(kernel) // 2
    shape = pictures.shape
    flat = pictures.reshape(-1, 1, *shape[2:])
    # "reflect" of torch wants less padding than picture; kernels are shorter than patches.
    flat = F.conv2d(F.pad(flat, (0, 0, half, half), mode=_PAD[border]), kernel.view(1, 1, -1, 1))
    flat = F.conv2d(F.pad(flat, (half, half, 0, 0), mode=_PAD[border]), kernel.view(1, 1, 1, -1))
    return flat.view(shape)


@lru_cache(maxsize=64)
def area_matrix(num_src: int, num_dst: int, device: torch.device) -> Tensor:
    """Return the (num_dst, num_src) float32 matrix that averages stretches of samples: area filter along one axis."""
    ratio = num_src / num_dst
    low = torch.arange(num_dst, dtype=torch.float64)[:, None] * ratio
    i = torch.arange(num_src, dtype=torch.float64)
    overlap = torch.minimum(low + ratio, i + 1) - torch.maximum(low, i)
    return (overlap.clamp(min=0) / ratio).float().to(device)


def area(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (..., h, w) float32 pictures area-filtered to `size` (h, w), no larger than they are."""
    height, width = pictures.shape[-2:]
    if size[0] != height:
        pictures = area_matrix(height, size[0], pictures.device) @ pictures
    if size[1] != width:
        pictures = pictures @ area_matrix(width, size[1], pictures.device).T
    return pictures


def enlarged(pictures: Tensor, size: int) -> Tensor:
    """Return (B, C, h, w) pictures resized to (size, size), interpolated linearly."""
    return F.interpolate(pictures, (size, size), mode="bilinear", align_corners=False)


@lru_cache(maxsize=32)
def ellipse_rows(radius: int) -> tuple[int, ...]:
    """Return how far each row of OpenCV's elliptic kernel of side 2 radius + 1 reaches from its middle, top row first."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return tuple(int(row.sum()) // 2 for row in kernel)


def eroded(pictures: Tensor, radius: int) -> Tensor:
    """Return (B, C, h, w) pictures, each px the lowest of those within a disc of `radius` px; outside is 0.

    A disc is a stack of rows: one running minimum for each width that occurs, then the lowest of the shifted rows.
    """
    if radius <= 0:
        return pictures
    height = pictures.shape[2]
    # Maxima of what is missing: max_pool is quick everywhere, and there is no min_pool.
    missing = 1 - F.pad(pictures, (radius, radius, radius, radius))
    reach = ellipse_rows(radius)
    by_reach = {
        half: F.max_pool2d(missing, (1, 2 * half + 1), stride=1)[..., radius - half : radius - half + pictures.shape[3]]
        for half in set(reach)
    }
    most = by_reach[reach[0]][:, :, :height]
    for row, half in enumerate(reach[1:], start=1):
        most = torch.maximum(most, by_reach[half][:, :, row : row + height])
    return 1 - most


def boxed(pictures: Tensor, radius: int, border: Border | Literal["mirror"] = "reflect") -> Tensor:
    """Return (B, C, h, w) means over (2 radius + 1)² px.

    Args:
        border: "mirror" = the picture goes on mirrored, its outermost px twice.
    """
    if border == "mirror":
        wide = torch.cat([pictures[..., :radius, :].flip(-2), pictures, pictures[..., -radius:, :].flip(-2)], dim=-2)
        wide = torch.cat([wide[..., :radius].flip(-1), wide, wide[..., -radius:].flip(-1)], dim=-1)
    else:
        wide = F.pad(pictures, (radius, radius, radius, radius), mode=_PAD[border])
    return F.avg_pool2d(wide, 2 * radius + 1, stride=1)


def dilated(pictures: Tensor, radius: int) -> Tensor:
    """Return (B, C, h, w) pictures, each px the highest of those within a square of `radius` px."""
    return F.max_pool2d(pictures, 2 * radius + 1, stride=1, padding=radius)
