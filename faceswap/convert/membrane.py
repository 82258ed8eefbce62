"""A skin stretched over a ring of given values: how a difference at the edge of a mask is carried over all of it.

Gradient-domain cloning keeps the gradients of the one picture and the edge of the other; what has to be added to the first is
the solution of Laplace's equation inside, with the difference of the two as values along the edge (Perez, Gangnet, Blake 2003).
It is smooth, so that it is solved on 32 x 32 points, from coarse to fine, and enlarged.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Points along a side of what is solved."""
_COARSEST = 4
_ROUNDS = 40
"""Jacobi rounds on each level; each begins with the level before, so that few are needed."""
_EDGE = (0.02, 0.5)
"""Mask values of the ring: outside the contour, inside the mask's support."""
_MAX_DEVIATIONS = 3.0
"""Differences further from the ring's median are hair or hands, not light: they are cut down to this many deviations."""


def across(difference: NDArray, mask: NDArray) -> NDArray[np.float32]:
    """Return the difference along the edge of a mask, carried over all of the patch.

    Args:
        difference: (3, S, S) original less swapped. mask: (1, S, S) [0, 1].

    Returns:
        (3, 32, 32); zeros where the mask has no edge in the patch.
    """
    ring = ((mask[0] > _EDGE[0]) & (mask[0] <= _EDGE[1])).astype(np.float32)
    if not ring.any():
        return np.zeros((3, SIDE, SIDE), dtype=np.float32)
    values = np.stack([_tamed(plane, ring > 0) for plane in difference.astype(np.float32)])
    weight = cv2.resize(ring, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    sums = np.stack([cv2.resize(plane * ring, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for plane in values])
    known = weight > 1e-3
    return stretched(np.where(known, sums / np.maximum(weight, 1e-3), 0).astype(np.float32), known)


def _tamed(plane: NDArray, ring: NDArray) -> NDArray:
    middle = np.median(plane[ring])
    spread = _MAX_DEVIATIONS * 1.4826 * np.median(np.abs(plane[ring] - middle))
    return np.clip(plane, middle - spread, middle + spread)


def stretched(values: NDArray[np.float32], known: NDArray) -> NDArray[np.float32]:
    """Return the smooth (C, N, N) field that has the values where they are known: Laplace's equation, free at the border.

    Args:
        values: (C, N, N), N a power of two of 4 or more. known: (N, N) bool, somewhere True.
    """
    size = values.shape[-1]
    if size > _COARSEST:
        half = known.reshape(size // 2, 2, size // 2, 2)
        counts = half.sum(axis=(1, 3))
        sums = (values * known).reshape(len(values), size // 2, 2, size // 2, 2).sum(axis=(2, 4))
        guess = enlarged(stretched(sums / np.maximum(counts, 1), counts > 0), size)
    else:
        guess = np.broadcast_to(values[:, known].mean(axis=1)[:, None, None], values.shape)
    field = np.where(known, values, guess).astype(np.float32)
    for _ in range(_ROUNDS):
        padded = np.pad(field, ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] + padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
        field = np.where(known, field, around / 4)
    return field


def enlarged(field: NDArray, size: int) -> NDArray[np.float32]:
    """Return a (C, N, N) field as (C, size, size)."""
    planes = [cv2.resize(plane.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR) for plane in field]
    return np.stack(planes)
