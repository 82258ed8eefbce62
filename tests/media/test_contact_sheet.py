from __future__ import annotations

import numpy as np

from faceswap.media.contact_sheet import contact_sheet, stacked


def test_every_picture_is_on_the_sheet_unchanged() -> None:
    pictures = [np.full((20, 30, 3), 40 * i + 60, dtype=np.uint8) for i in range(5)]
    sheet = contact_sheet(pictures, [f"{i} é" for i in range(5)], columns=3)
    assert sheet.dtype == np.uint8
    for i in range(5):
        assert (sheet == 40 * i + 60).all(axis=-1).sum() >= 600


def test_sheets_of_any_width_stand_one_below_the_other() -> None:
    wide, narrow = np.full((5, 30, 3), 200, np.uint8), np.full((7, 10, 3), 100, np.uint8)
    both = stacked([wide, narrow])
    assert both.shape == (12, 30, 3)
    assert both.dtype == np.uint8
    assert (both[:5] == 200).all()
    assert (both[5:, :10] == 100).all()
    assert (both[5:, 10:] == 48).all()
