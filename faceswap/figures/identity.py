"""Whose face it is, from the vectors of an identity encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def centroid(vectors: NDArray) -> NDArray[np.float64]:
    """Return the unit mean of (N, D) unit vectors."""
    mean = np.asarray(vectors, dtype=np.float64).mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def likeness(vectors: NDArray, to: NDArray) -> NDArray[np.float64]:
    """Return the (N,) cosines of (N, D) unit vectors to a (D,) unit vector."""
    return np.asarray(vectors, dtype=np.float64) @ to


def variance(vectors: NDArray) -> float:
    """Return how much an identity wanders over frames: mean squared distance to the mean; at most 0.003 is good.

    Args:
        vectors: (N, D) unit vectors of one person's frames.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    return float(np.square(vectors - vectors.mean(axis=0)).sum(axis=1).mean() / 2)
