"""Texts of visible labels as pictures: Latin text by Pillow's own font, a few Chinese words by strokes of our own.

No font is shipped, and none of the machine's is used: a label looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UsageError

Stroke = Sequence[tuple[float, float]]
"""A line through points (x, y) in a box of 100 x 100."""

STROKES: dict[str, tuple[float, Sequence[Stroke]]] = {
    "A": (78, [[(4, 92), (39, 10), (74, 92)], [(17, 62), (61, 62)]]),
    "I": (26, [[(13, 10), (13, 92)]]),
    " ": (40, []),
    "生": (
        104,
        [
            [(30, 6), (22, 24), (9, 42)],
            [(23, 27), (88, 27)],
            [(52, 4), (52, 92)],
            [(18, 58), (84, 58)],
            [(6, 92), (96, 92)],
        ],
    ),
    "成": (
        104,
        [
            [(16, 25), (94, 25)],
            [(17, 25), (17, 55), (14, 74), (5, 95)],
            [(18, 50), (44, 50), (43, 74), (40, 82), (29, 80)],
            [(54, 4), (57, 36), (64, 62), (76, 84), (88, 94), (94, 76)],
            [(86, 42), (76, 62), (60, 80), (44, 92)],
            [(70, 6), (82, 15)],
        ],
    ),
}
"""Character -> how wide it is, and its strokes."""

_PEN = 9.0
"""Width of a stroke in the box of 100."""
_FINE = 4
"""Strokes are drawn so many times larger, then made smaller: smooth edges."""


def text_picture(text: str, height_px: int) -> NDArray[np.float32]:
    """Return a text as (h, w) coverage [0, 1], about `height_px` from the top of a capital letter to its foot.

    Raises:
        UsageError: an empty text, or a character that cannot be drawn.
    """
    text = " ".join(text.split())
    if not text:
        raise UsageError("the label is empty; give a text, eu-ai or cn-aigc")
    is_chinese = not text.isascii() and all(character in STROKES for character in text)
    return _by_strokes(text, height_px) if is_chinese else _by_font(text, height_px)


def _by_strokes(text: str, height_px: int) -> NDArray[np.float32]:
    scale = height_px * _FINE / 100
    total = sum(STROKES[character][0] for character in text)
    picture = np.zeros((round(100 * scale), round(total * scale)), np.uint8)
    left = 0.0
    pen = max(1, round(_PEN * scale))
    for character in text:
        width, strokes = STROKES[character]
        for stroke in strokes:
            points = np.rint((np.array(stroke) + np.array([left, 0.0])) * scale).astype(np.int32)
            cv2.polylines(picture, [points], False, 255, pen, cv2.LINE_AA)
        left += width
    size = (max(1, picture.shape[1] // _FINE), height_px)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _by_font(text: str, height_px: int) -> NDArray[np.float32]:
    from PIL import Image, ImageDraw, ImageFont

    capital = 0.7  # of Pillow's own font (Aileron): the height of "A" in its size
    try:
        font = ImageFont.load_default(height_px / capital)
    except ImportError as error:
        raise UsageError("this Pillow was built without FreeType; install the one from its publisher") from error
    missing = _drawn(font, "\uffff")
    absent = sorted({c for c in text if c != " " and _drawn(font, c) == missing})
    if absent:
        raise UsageError(
            f"the label's characters {' '.join(absent)} cannot be drawn: Latin letters can, and of Chinese {' '.join('生成')}"
        )
    left, top, right, bottom = (round(side) for side in font.getbbox(text))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    return (np.asarray(image) / 255).astype(np.float32)


def _drawn(font: object, character: str) -> bytes:
    return bytes(font.getmask(character))  # type: ignore[attr-defined]
