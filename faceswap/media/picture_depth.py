"""Reading pictures with all their bits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def read_deep_picture(path: Path) -> NDArray | None:
    """Return a picture as (H, W, 3) RGB, uint16 where the file has more than 8 bits, else uint8; None when it is unreadable."""
    data = np.fromfile(path, dtype=np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except cv2.error:  # larger than OpenCV allows
        return None
    if bgr is None or bgr.dtype not in (np.uint8, np.uint16):
        return None
    return np.ascontiguousarray(bgr[:, :, ::-1])
