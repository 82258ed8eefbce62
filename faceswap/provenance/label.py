"""The label that viewers see: "AI-modified" and the like in a corner, drawn on the planes of finished frames.

Its height is at least a twentieth of the shorter side, as China's standard GB 45438-2025 asks; the other rules set no size.
White is the white of the clip's transfer curve: 203 nits in HDR (ITU-R BT.2408), not the brightest that the display can do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.color import code_scale
from faceswap.errors import UsageError
from faceswap.media.probe import ClipInfo
from faceswap.media.rgb import upright
from faceswap.provenance.label_text import text_picture
from faceswap.types import Frame

Place = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
TEXTS = {"eu-ai": "AI-modified", "cn-aigc": "AI生成"}
"""Names that stand for a text. eu-ai: EU AI Act, Article 50(4). cn-aigc: China's labelling measures of 2025."""

_HEIGHT = 0.055
"""Of a capital letter, of the shorter side."""
_MIN_HEIGHT_PX = 13
_MARGIN = 0.045
"""From the edges, of the shorter side; televisions may hide less than that."""
_PAD = 0.55
"""Around the text, of its height."""
_MAX_WIDTH = 0.9
_PLATE = 0.62
"""How much of the picture the dark plate takes away."""
_WHITE = {16: 0.58, 18: 0.75}
"""Transfer curve (H.273) -> signal of diffuse white: PQ, HLG."""
_SDR_WHITE = 0.93
_DARK = 0.05


@dataclass(frozen=True, slots=True)
class LabelWish:
    """What is to be written, where and how long."""

    text: str
    """Or a name of `TEXTS`."""
    place: Place = "bottom-left"
    seconds: float | None = None
    """From the start of the clip; None = all of it."""

    @property
    def words(self) -> str:
        """The text itself."""
        return TEXTS.get(self.text.lower(), self.text)


class Label:
    """A label fitted to a clip."""

    def __init__(self, wish: LabelWish, info: ClipInfo) -> None:
        """Draw the text once.

        Raises:
            UsageError: it cannot be drawn, or is too long for the picture.
        """
        self._wish = wish
        self._white = _WHITE.get(info.tags.transfer or 0, _SDR_WHITE)
        self._text, self._plate = _fitted(wish, info)
        self._end = None if wish.seconds is None else wish.seconds

    def draw(self, frame: Frame, start_seconds: float = 0.0) -> Frame:
        """Return a frame with the label; the very object when its time is over.

        Args:
            start_seconds: when the output's first frame is shown.
        """
        if self._end is not None and frame.time.seconds - start_seconds >= self._end:
            return frame
        scale = code_scale(frame.color)
        top = 2**frame.color.bit_depth - 1
        planes = []
        for i, plane in enumerate(frame.planes):
            text, plate = (_of_size(each, plane.shape) for each in (self._text, self._plate))
            if i >= 3:
                planes.append(_mixed(plane, np.maximum(text, plate > 0), float(top), top))  # alpha: it is opaque there
                continue
            is_chroma = i > 0 and not frame.layout.is_rgb
            dark, white = (0.0, 0.0) if is_chroma else (_DARK, self._white)
            gain, offset = scale.linear[i, i], scale.offset[i]
            under = _mixed(plane, _PLATE * plate, dark * gain + offset, top)
            planes.append(_mixed(under, text, white * gain + offset, top))
        return replace(frame, planes=tuple(planes))


def _fitted(wish: LabelWish, info: ClipInfo) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much of each pixel of the stored picture text and plate cover: (h, w) [0, 1]."""
    turn = info.upright_from_stored
    is_on_side = turn is not None and turn[0, 0] == 0
    height, width = info.size[::-1] if is_on_side else info.size
    # Pixels that are shown wider than high: the text is made so much narrower.
    aspect = float(info.pixel_aspect or 1) ** (-1 if is_on_side else 1)
    shorter = min(height, width * aspect)
    letters = max(_MIN_HEIGHT_PX, round(_HEIGHT * shorter))
    text = text_picture(wish.words, letters)
    text = cv2.resize(text, (max(1, round(text.shape[1] / aspect)), text.shape[0]), interpolation=cv2.INTER_AREA)
    pad_y, pad_x = round(_PAD * letters), round(_PAD * letters / aspect)
    size = (text.shape[0] + 2 * pad_y, text.shape[1] + 2 * pad_x)
    if size[1] > _MAX_WIDTH * width or size[0] > _MAX_WIDTH * height:
        raise UsageError(
            f"the label {wish.words!r} is {size[1]} px wide, the picture {width}; it may take {_MAX_WIDTH:.0%} of it: "
            "use a shorter text"
        )
    margin_y, margin_x = round(_MARGIN * shorter), round(_MARGIN * shorter / aspect)
    y = margin_y if wish.place.startswith("top") else height - margin_y - size[0]
    x = margin_x if wish.place.endswith("left") else width - margin_x - size[1]
    x, y = max(0, x), max(0, y)
    plate, drawn = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    plate[y : y + size[0], x : x + size[1]] = 1
    drawn[y + pad_y : y + pad_y + text.shape[0], x + pad_x : x + pad_x + text.shape[1]] = text
    from_upright = None if turn is None else turn.T  # the inverse of a turn
    return upright(drawn, from_upright), upright(plate, from_upright)


def _of_size(coverage: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    if coverage.shape == size:
        return coverage
    return cv2.resize(coverage, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _mixed(plane: NDArray, coverage: NDArray[np.float32], value: float, top: int) -> NDArray:
    """Return a plane with `value` laid over it; samples that are not covered stay as they are."""
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    if not len(rows):
        return plane
    where = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    old, share = plane[where].astype(np.float32), coverage[where]
    result = plane.copy()
    result[where] = np.clip(np.rint(old + share * (np.float32(value) - old)), 0, top)
    return result
