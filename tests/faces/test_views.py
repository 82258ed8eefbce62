from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from faceswap import color, geometry
from faceswap.faces.views import render_view, sample_rgb, upright_from_frame
from faceswap.media.layouts import layout_of
from faceswap.types import ColorInfo, Frame, Timestamp


def flat_frame(rgb: tuple[float, float, float], pix_fmt: str) -> Frame:
    layout, bits = layout_of(pix_fmt)
    info = ColorInfo("rgb" if layout.is_rgb else "bt709", layout.is_rgb, bits)
    codes = color.transform(np.array(rgb, np.float32).reshape(3, 1, 1), color.codes_from_rgb(info)).ravel()
    chroma = (32 >> layout.chroma_shift[0], 48 >> layout.chroma_shift[1])
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = tuple(np.full(s, round(float(c)), dtype) for s, c in zip(((32, 48), chroma, chroma), codes, strict=True))
    return Frame(planes, layout, info, Timestamp(0, Fraction(1, 25)), 0)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p", "gbrp"])
def test_flat_colour_is_shown_as_it_is(pix_fmt: str) -> None:
    view = sample_rgb(flat_frame((0.8, 0.3, 0.1), pix_fmt), geometry.scaling(0.7), (20, 30))
    np.testing.assert_allclose(view[:, 10, 10], [0.8, 0.3, 0.1], atol=0.01)
    assert view.shape == (3, 20, 30)


def test_rendered_view_is_a_picture_of_bytes() -> None:
    view = render_view(flat_frame((1, 0, 0.5), "yuv444p"), np.eye(2, 3), (32, 48))
    assert view.dtype == np.uint8
    np.testing.assert_allclose(view[5, 5], [255, 0, 128], atol=3)


@pytest.mark.parametrize(("siting", "late"), [("left", 0.0), ("center", 0.5)])
def test_chroma_is_shown_where_its_siting_says(siting: str, late: float) -> None:
    frame = flat_frame((0.5, 0.5, 0.5), "yuv420p10le")
    frame = replace(frame, color=replace(frame.color, siting=siting))
    # Two ramps that agree when chroma sample j lies on luma sample 2j.
    luma, chroma = (np.tile(np.arange(n), (n // 2, 1)) for n in (64, 32))
    planes = (4 * (96 + luma), 4 * (96 + 2 * chroma), np.full((16, 32), 512))
    frame = replace(frame, planes=tuple(plane.astype(np.uint16) for plane in planes))
    codes = color.transform(sample_rgb(frame, np.eye(2, 3), (32, 64)), color.codes_from_rgb(frame.color)) / 4
    np.testing.assert_allclose(codes[0, 8, 8:56] - codes[1, 8, 8:56], late, atol=0.2)


def test_upright_view_of_a_quarter_turn_has_swapped_sides() -> None:
    matrix, size = upright_from_frame((30, 50), np.array([[0.0, -1.0], [1.0, 0.0]]))
    assert size == (50, 30)
    np.testing.assert_allclose(geometry.apply(matrix, np.array([[0.0, 30.0]])), [[0, 0]])
