from __future__ import annotations

import numpy as np

from faceswap.media.contact_sheet import contact_sheet


def test_every_picture_is_on_the_sheet_unchanged() -> None:
    pictures = [np.full((20, 30, 3), 40 * i + 60, dtype=np.uint8) for i in range(5)]
    sheet = contact_sheet(pictures, [f"{i} é" for i in range(5)], columns=3)
    assert sheet.dtype == np.uint8
    for i in range(5):
        assert (sheet == 40 * i + 60).all(axis=-1).sum() >= 600
