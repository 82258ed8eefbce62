"""The visible label: where it stands, how it is drawn, what cannot be."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from clips import make_clip
from makers import noise_frame

from faceswap.errors import UsageError
from faceswap.media.probe import ClipInfo, probe
from faceswap.provenance.label import Label, LabelWish, Place
from faceswap.provenance.label_text import text_picture
from faceswap.types import Frame, Timestamp

TURNED_90 = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
"""Display matrix of a phone held upright: players turn the picture clockwise."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    return probe(make_clip(tmp_path_factory.mktemp("like") / "like.mkv", codec="ffv1", num_frames=1))


def info_like(template: ClipInfo, frame: Frame, transfer: int = 1, **over: Any) -> ClipInfo:
    tags = replace(template.tags, transfer=transfer)
    return replace(template, size=frame.size, layout=frame.layout, color=frame.color, tags=tags, **over)


def changed(before: Frame, after: Frame, plane: int = 0) -> np.ndarray:
    return np.argwhere(before.planes[plane] != after.planes[plane])


@pytest.mark.parametrize("place", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("size", [(240, 320), (640, 360), (268, 640)])
def test_label_stands_in_its_corner_and_nothing_else_changes(
    template: ClipInfo, place: Place, size: tuple[int, int]
) -> None:
    frame = noise_frame("yuv420p", size)
    after = Label(LabelWish("eu-ai", place), info_like(template, frame)).draw(frame)
    points = changed(frame, after)
    y, x = (points.min(axis=0) + points.max(axis=0)) / 2
    assert (y < size[0] / 2) == place.startswith("top")
    assert (x < size[1] / 2) == place.endswith("left")
    height, width = np.ptp(points, axis=0) + 1
    assert height >= 0.05 * min(size)
    assert width < 0.9 * size[1]
    assert points.min() > 0
    assert (points.max(axis=0) < np.array(size) - 1).all()
    for plane in (1, 2):
        chroma = changed(frame, after, plane)
        assert (chroma.min(axis=0) * 2 >= points.min(axis=0) - 2).all()
        assert (chroma.max(axis=0) * 2 <= points.max(axis=0) + 2).all()


@pytest.mark.parametrize(
    ("pix_fmt", "transfer", "expected"),
    [("yuv420p", 1, 0.93), ("yuv420p10le", 16, 0.58), ("yuv420p10le", 18, 0.75), ("yuv444p16le", 1, 0.93)],
)
def test_white_is_diffuse_white_of_the_transfer_curve(
    template: ClipInfo, pix_fmt: str, transfer: int, expected: float
) -> None:
    frame = noise_frame(pix_fmt, (480, 640))
    after = Label(LabelWish("eu-ai"), info_like(template, frame, transfer)).draw(frame)
    unit = 2 ** (frame.color.bit_depth - 8)
    where = tuple(changed(frame, after).T)
    brightest = (after.planes[0][where].max() / unit - 16) / 219
    assert brightest == pytest.approx(expected, abs=0.01)
    darkest = (after.planes[0][where].min() / unit - 16) / 219
    assert darkest < expected - 0.3
    # Text is gray: chroma is neutral in the middle of its strokes.
    chroma = after.planes[1].astype(float)[tuple(changed(frame, after, 1).T)] / unit
    assert np.abs(chroma - 128).min() < 2


def test_rgb_frames_get_a_gray_label(template: ClipInfo) -> None:
    frame = noise_frame("gbrp10le", (240, 320))
    after = Label(LabelWish("cn-aigc"), info_like(template, frame)).draw(frame)
    y, x = np.unravel_index(after.planes[0].astype(int)[180:].argmax(), (60, 320))
    values = [int(plane[180 + y, x]) for plane in after.planes]
    assert max(values) - min(values) <= 60


def test_label_is_upright_for_viewers_of_turned_clips(template: ClipInfo) -> None:
    stored = noise_frame("yuv420p", (240, 320))
    info = info_like(template, stored, display_matrix=TURNED_90)
    turn = info.upright_from_stored
    assert turn is not None
    after = Label(LabelWish("AI", "top-left"), info).draw(stored)
    points = changed(stored, after)[:, ::-1] + 0.5 - np.array([160, 120])
    upright = points @ turn.T + np.array([120, 160])
    assert (upright.mean(axis=0) < (120, 160)).all()
    assert np.ptp(upright[:, 0]) > np.ptp(upright[:, 1])
    plain = noise_frame("yuv420p", (320, 240))
    expected = changed(plain, Label(LabelWish("AI", "top-left"), info_like(template, plain)).draw(plain))
    np.testing.assert_allclose(np.ptp(upright, axis=0)[::-1], np.ptp(expected, axis=0), atol=1)


def test_label_is_narrower_where_pixels_are_wide(template: ClipInfo) -> None:
    frame = noise_frame("yuv420p", (480, 640))
    square, wide = (
        np.ptp(
            changed(frame, Label(LabelWish("eu-ai"), info_like(template, frame, pixel_aspect=a)).draw(frame)), axis=0
        )
        for a in (Fraction(1), Fraction(4, 3))
    )
    assert wide[1] == pytest.approx(square[1] * 3 / 4, abs=6)
    assert wide[0] == pytest.approx(square[0], abs=2)


def test_label_is_shown_for_its_time_from_the_first_frame_on(template: ClipInfo) -> None:
    frame = noise_frame("yuv420p", (240, 320))
    label = Label(LabelWish("eu-ai", seconds=2), info_like(template, frame))
    times = [replace(frame, time=Timestamp(pts, Fraction(1, 10))) for pts in (100, 119, 120)]
    assert [label.draw(each, start_seconds=10.0) is each for each in times] == [False, False, True]


def test_alpha_is_opaque_under_the_label(template: ClipInfo) -> None:
    frame = noise_frame("yuv444p10le", (240, 320))
    with_alpha = replace(frame, planes=(*frame.planes, np.zeros_like(frame.planes[0])))
    after = Label(LabelWish("AI"), info_like(template, frame)).draw(with_alpha)
    assert set(np.unique(after.planes[3])) == {0, 1023}


@pytest.mark.parametrize(("text", "complaint"), [("  ", "empty"), ("AI合成", "合"), ("x" * 200, "shorter text")])
def test_texts_that_cannot_be_drawn_are_refused(template: ClipInfo, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Label(LabelWish(text), info_like(template, noise_frame("yuv420p", (240, 320))))


def test_chinese_words_are_drawn_stroke_by_stroke() -> None:
    whole = text_picture("AI生成", 40)
    assert whole.shape[0] == 40
    assert 0.1 < whole.mean() < 0.6
    # Four separate characters: columns of nothing between A, I, 生 and 成 can be few, but both ends hold ink.
    assert whole[:, :20].any()
    assert whole[:, -20:].any()


def test_names_stand_for_texts() -> None:
    assert LabelWish("EU-AI").words == "AI-modified"
    assert LabelWish("cn-aigc").words == "AI生成"
    assert LabelWish("Made with faceswap").words == "Made with faceswap"


def test_small_pictures_have_letters_that_can_be_read() -> None:
    assert text_picture("AI", 13).shape[0] >= 12
