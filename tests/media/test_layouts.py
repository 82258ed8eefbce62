from __future__ import annotations

import pytest

from faceswap.errors import UnsupportedInputError
from faceswap.media.layouts import encodable_format, layout_of, planar_name


@pytest.mark.parametrize(
    ("name", "shift", "bits"),
    [("yuv420p", (1, 1), 8), ("yuv422p10le", (0, 1), 10), ("yuv444p16le", (0, 0), 16), ("gbrp", (0, 0), 8)],
)
def test_layouts_are_read_from_the_formats_description(name: str, shift: tuple[int, int], bits: int) -> None:
    layout, depth = layout_of(name)
    assert (layout.chroma_shift, depth) == (shift, bits)


@pytest.mark.parametrize("name", ["gray", "nv12", "yuv420p10be", "gbrpf32le"])
def test_formats_that_cannot_be_worked_on_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedInputError, match=name):
        layout_of(name)


@pytest.mark.parametrize(("name", "planar"), [("nv12", "yuv420p"), ("yuvj422p", "yuv422p"), ("rgb24", "gbrp")])
def test_interleaved_formats_have_a_planar_twin(name: str, planar: str) -> None:
    assert planar_name(name) == planar


@pytest.mark.parametrize(
    ("codec", "wanted", "found"),
    [
        ("libx264", "yuv420p", "yuv420p"),
        ("libx264", "yuv420p12le", "yuv420p10le"),
        ("libx264", "yuva420p", "yuv420p"),
        ("prores_ks", "yuv420p", "yuv422p10le"),
        ("libsvtav1", "yuv444p", "yuv420p"),
    ],
)
def test_nearest_encodable_format(codec: str, wanted: str, found: str) -> None:
    assert encodable_format(codec, wanted)[0] == found


def test_what_is_lost_is_named() -> None:
    assert encodable_format("libx264", "yuva444p12le")[1] == ["12 bit becomes 10 bit", "alpha is dropped"]
