"""Several pictures on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_TITLE_PX = 22
_GAP_PX = 4
_GREY = 48


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str], *, columns: int = 8
) -> NDArray[np.uint8]:
    """Return equally large pictures in rows, each with its title above it, on grey.

    Args:
        pictures: (H, W, 3) uint8 RGB each; at least one. titles: ASCII; other signs are shown as "?".

    Returns:
        (H', W', 3) uint8 RGB.
    """
    height, width = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    cell_h, cell_w = height + _TITLE_PX + _GAP_PX, width + _GAP_PX
    sheet = np.full((rows * cell_h + _GAP_PX, columns * cell_w + _GAP_PX, 3), _GREY, dtype=np.uint8)
    for i, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        y, x = _GAP_PX + i // columns * cell_h, _GAP_PX + i % columns * cell_w
        text = title.encode("ascii", errors="replace").decode()
        cv2.putText(sheet, text, (x + 2, y + 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (240, 240, 240), 1, cv2.LINE_AA)
        sheet[y + _TITLE_PX : y + _TITLE_PX + height, x : x + width] = picture
    return sheet


def stacked(sheets: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 pictures of any sizes one below the other, at the left, on grey; at least one."""
    width = max(sheet.shape[1] for sheet in sheets)
    rows = [
        np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)), constant_values=np.uint8(_GREY))
        for sheet in sheets
    ]
    return np.concatenate(rows)
