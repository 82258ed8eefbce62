"""Swapping what was swapped: the network's picture, laid into the face it came from, goes through the network again.

The second time the network sees eyes, mouth and pose in its own person's features, which it knows better than the actor's: the
likeness grows, and expressions that it has not learnt well get lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Swap = Callable[[Sequence[Picture]], tuple[list[Picture], list[Picture | None]]]


def swap_in_passes(
    swap: Swap, originals: Sequence[Picture], places: Sequence[Picture], passes: Sequence[int]
) -> tuple[list[Picture], list[Picture | None]]:
    """Return the swapped patches after as many passes as each is to have, and the network's masks.

    Masks are those of the first pass, which saw the actor, and what is in front of him.

    Args:
        swap: patches of (3, S, S) RGB [0, 1] -> swapped patches and (1, S, S) masks.
        places: (1, S, S) [0, 1], where each swapped face is laid over its original between two passes. passes: from 1.
    """
    pixels, network_masks = swap(originals)
    for number in range(2, max(passes, default=1) + 1):
        again = [i for i, count in enumerate(passes) if count >= number]
        given = []
        for i in again:
            mask = network_masks[i]
            alpha = places[i] if mask is None else places[i] * mask
            given.append((originals[i] + alpha * (pixels[i] - originals[i])).astype(np.float32))
        for i, new in zip(again, swap(given)[0], strict=True):
            pixels[i] = new
    return pixels, network_masks
