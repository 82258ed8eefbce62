"""How much of the swapped face is seen: one share for the whole face, others for parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.masks.regions import Region, region_mask
from faceswap.types import CropSpec

_SOFT = 0.24
"""Width of a part's edge, in inter-ocular distances: softer than that of a kept part, for here two faces are seen at once."""


@dataclass(frozen=True, slots=True)
class Opacity:
    """Shares of the swapped pixel in what is seen, [0, 1]."""

    all: float = 1.0
    """Of what no part names."""
    parts: tuple[tuple[Region, float], ...] = ()
    """Of parts of the face, whatever `all` is; where two overlap, the later one counts."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """The parts that are named."""
        return tuple(region for region, _ in self.parts)

    @property
    def is_full(self) -> bool:
        """True when it changes nothing."""
        return self.all == 1 and all(share == 1 for _, share in self.parts)


def opacity_map(canonical_landmarks: NDArray, crop: CropSpec, opacity: Opacity, scheme: str) -> NDArray[np.float32]:
    """Return the shares as a (1, S, S) picture; a part goes over into the rest of the face softly.

    Args:
        canonical_landmarks: (N, 2) points of `scheme` in template coordinates.

    Raises:
        UsageError: the scheme does not show a part. ShapeError: an unknown scheme, or another number of points.
    """
    result = np.full((1, crop.size, crop.size), opacity.all, dtype=np.float32)
    for region, share in opacity.parts:
        result += region_mask(canonical_landmarks, crop, (region,), scheme, soft=_SOFT) * (np.float32(share) - result)
    return result


def opacity_of(values: Mapping[str, float]) -> Opacity:
    """Return an opacity from shares by name; "all" is that of the rest."""
    parts = tuple((name, share) for name, share in values.items() if name != "all")
    return Opacity(values.get("all", 1.0), parts)  # type: ignore[arg-type]
