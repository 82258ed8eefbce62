"""What an engine gives: frames before and after, and the faces that were laid over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.convert.grain import Grain
from faceswap.types import Frame, Patch


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One swapped face on its way into a frame."""

    track: int
    raw: NDArray[np.float32]
    """(3, S, S) RGB [0, 1] as the network gave it; with `restore`, larger and with the detail that was drawn."""
    patch: Patch
    """Matched to the footage, with its final mask: what is pasted."""
    grain: Grain | None = None
    """Noise of the footage's kind, laid over it; None = the footage has none that is seen."""
    parity: int | None = None
    """Interlaced: the field whose lines it covers, 0 = the even lines; None = all lines."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A frame before and after, and what was laid over it."""

    source: Frame
    frame: Frame
    """With the layers pasted; the very object `source` when there are none."""
    layers: Sequence[Layer] = ()
