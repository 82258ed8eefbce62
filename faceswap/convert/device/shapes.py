"""Outlines and cores of faces drawn on a device: `masks.face_hull` and `masks.face_core` for a batch.

Five points give curves that are computed there. The polygons of denser schemes are filled on the host and travel as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap import geometry, masks
from faceswap.convert.device.planes import Rect, to_device
from faceswap.faces.align import canonical_landmarks
from faceswap.masks import hulls, skin
from faceswap.masks.drawing import canonical_grid
from faceswap.schemes import SCHEMES, anchors_of
from faceswap.types import CropSpec, Face

_BOUND_ROOM = 2
"""px by which a hull's soft edge and rounding may reach beyond its outline."""


class Shapes:
    """What the landmarks of B faces say of where they are in their patches."""

    def __init__(self, faces: Sequence[Face], crop: CropSpec, device: torch.device) -> None:
        self._faces, self._crop, self._device = faces, crop, device
        self._points = [canonical_landmarks(face) for face in faces]
        self._anchors = [anchors_of(points, face.scheme) for points, face in zip(self._points, faces, strict=True)]
        self._outlines = np.array([hulls.superellipse(anchors) for anchors in self._anchors])
        self._x, self._y = (to_device(each.astype(np.float32), device) for each in canonical_grid(crop))
        self._radius = self._radii()
        self._filled = [
            np.rint(masks.face_hull(points, crop, face.scheme) * 255).astype(np.uint8)
            if SCHEMES[face.scheme].jaw
            else None
            for points, face in zip(self._points, faces, strict=True)
        ]

    def _radii(self) -> Tensor:
        """Return (B, S, S): 1 on the outline around five points."""
        x0, y0, left, right, up, down = to_device(self._outlines.T[..., None, None].astype(np.float32), self._device)
        x, y = self._x - x0, self._y - y0
        radius = (x.abs() / torch.where(x > 0, right, left)) ** hulls.ROUNDNESS
        radius = radius + (y.abs() / torch.where(y > 0, down, up)) ** hulls.ROUNDNESS
        return radius ** (1 / hulls.ROUNDNESS)

    def hulls(self) -> Tensor:
        """Return (B, 1, S, S) in [0, 1]."""
        px_per_unit = geometry.scale_of(geometry.patch_from_canonical(self._crop))
        found = ((1 - self._radius) * hulls.HALF_WIDTH * px_per_unit + 0.5).clamp(0, 1)[:, None]
        drawn = [i for i, filled in enumerate(self._filled) if filled is not None]
        if drawn:
            bytes_ = np.stack([filled for filled in self._filled if filled is not None])
            found[to_device(np.array(drawn), self._device)] = to_device(bytes_, self._device).float() / 255
        return found

    def cores(self) -> Tensor:
        """Return (B, 1, S, S) in [0, 1]."""
        anchors = to_device(np.stack(self._anchors).astype(np.float32), self._device)[..., None, None]
        reach = torch.where(self._y > anchors[:, 2, 1], skin.CORE_BELOW_NOSE, skin.CORE_ABOVE)
        core = ((reach - self._radius) / skin.CORE_EDGE + 0.5).clamp(0, 1)
        for eye in (0, 1):
            x, y = self._x - anchors[:, eye, 0], self._y - anchors[:, eye, 1]
            distance = torch.hypot(x / skin.EYE_RADII[0], y / skin.EYE_RADII[1])
            core = torch.maximum(core, ((1 - distance) / skin.CORE_EDGE + 0.5).clamp(0, 1))
        return core[:, None]

    def bounds(self) -> list[Rect]:
        """Return for each face the rectangle in px of the patch outside which its hull is 0."""
        return [self._bound(i) for i in range(len(self._faces))]

    def _bound(self, face: int) -> Rect:
        filled = self._filled[face]
        if filled is not None:
            return rect_of(filled[0], 1)
        x, y, left, right, up, down = self._outlines[face]
        corners = np.array([[x - left, y - up], [x + right, y + down]])
        corners = geometry.apply(geometry.patch_from_canonical(self._crop), corners)
        return geometry.bounding_rect(corners, (self._crop.size, self._crop.size), pad=_BOUND_ROOM)


def rect_of(mask: NDArray, room: int = 0) -> Rect:
    """Return the rectangle around what is not 0 in a (S, S) mask; empty = all zeros."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    height, width = mask.shape
    return (
        max(0, int(columns[0]) - room),
        max(0, int(rows[0]) - room),
        min(width, int(columns[-1]) + 1 + room),
        min(height, int(rows[-1]) + 1 + room),
    )
