from __future__ import annotations

import av
import numpy as np
import pytest

from faceswap.errors import UnsupportedInputError
from faceswap.media.layouts import _PLANAR_EQUIVALENT, encodable_format, layout_of, little_endian, planar_name
from faceswap.media.samples import plane_view, planes_of


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


@pytest.mark.parametrize(
    ("name", "what"), [("grayf32le", "floating-point"), ("gray32le", "32 bits"), ("rgb565le", "order")]
)
def test_refusal_says_what_is_wrong_and_gives_the_remedy(name: str, what: str) -> None:
    with pytest.raises(UnsupportedInputError, match=f"{what}.*ffmpeg -i"):
        layout_of(name)


# A palette is made for a picture, not a picture for a palette.
@pytest.mark.parametrize("name", sorted(_PLANAR_EQUIVALENT.keys() - {"pal8"}))
def test_planar_twin_holds_the_very_same_values(name: str) -> None:
    planar = _PLANAR_EQUIVALENT[name]
    layout, bits = layout_of(planar)
    frame = av.VideoFrame(64, 32, planar)
    samples = np.random.default_rng(0)
    for plane in frame.planes:
        view = plane_view(plane, bits)
        view[:] = samples.integers(0, 2**bits, view.shape)
    again = planes_of(frame.reformat(format=name), layout, bits)
    for before, after in zip(frame.planes, again, strict=True):
        np.testing.assert_array_equal(after, plane_view(before, bits))


@pytest.mark.parametrize("name", ["yuv420p10be", "gbrp16be", "yuv422p12be"])
def test_big_endian_samples_are_turned_round(name: str) -> None:
    layout, bits = layout_of(planar_name(name))
    frame = av.VideoFrame(64, 32, layout.name)
    for plane in frame.planes:
        view = plane_view(plane, bits)
        view[:] = np.arange(view.size).reshape(view.shape) % 2**bits
    for before, after in zip(frame.planes, planes_of(frame.reformat(format=name), layout, bits), strict=True):
        np.testing.assert_array_equal(after, plane_view(before, bits))


@pytest.mark.parametrize("name", ["gray", "gray10be", "ya8", "ya16be"])
def test_gray_keeps_its_luma_and_gets_neutral_chroma(name: str) -> None:
    layout, bits = layout_of(planar_name(name))
    frame = av.VideoFrame(61, 33, little_endian(name))
    samples = np.frombuffer(frame.planes[0], np.uint8 if bits == 8 else np.uint16)
    samples[:] = np.arange(samples.size) % 2**bits
    rows = samples.reshape(-1, frame.planes[0].line_size // samples.itemsize)[:33]
    luma, blue, red, *alpha = planes_of(frame.reformat(format=name), layout, bits)
    step = 2 if name.startswith("ya") else 1
    np.testing.assert_array_equal(luma, rows[:, : 61 * step : step])
    assert blue.shape == red.shape == (17, 31)
    assert (np.concatenate([blue, red]) == 2 ** (bits - 1)).all()
    for plane in alpha:
        np.testing.assert_array_equal(plane, rows[:, 1 : 61 * step : step])
    assert len(alpha) == step - 1
