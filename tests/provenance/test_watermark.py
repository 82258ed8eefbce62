"""The watermark: its code, where it is written, and that it is found again in damaged copies and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
import pytest
import torch

from faceswap.errors import ShapeError, UsageError
from faceswap.provenance.watermark.detect import detect
from faceswap.provenance.watermark.embed import LumaMarker, epoch_of
from faceswap.provenance.watermark.embed_torch import TensorMarker
from faceswap.provenance.watermark.pattern import TILE, scale_for, tile_of, waves
from faceswap.provenance.watermark.payload import CODE_BITS, Payload, decode, generator_polynomial
from faceswap.types import ColorInfo, Frame, PlaneLayout, Timestamp

PAYLOAD = Payload(0x123456789A)
YUV, RGB = PlaneLayout("yuv420p", (1, 1)), PlaneLayout("gbrp", (0, 0))


@lru_cache(maxsize=4)
def panorama(size: tuple[int, int]) -> np.ndarray:
    """Soft shapes and fine texture: (h, w + 400) float, 30 to 220."""
    rng = np.random.default_rng(7)
    coarse = cv2.GaussianBlur(rng.normal(size=(size[0], size[1] + 400)), (0, 0), 25) * 900
    fine = cv2.GaussianBlur(rng.normal(size=coarse.shape), (0, 0), 1.5) * 12
    return (coarse + fine + 120).clip(30, 220)


def scene(number: int, size: tuple[int, int] = (288, 384)) -> np.ndarray:
    """Return the picture that a panning camera sees."""
    start = 3 * number % 400
    return panorama(size)[:, start : start + size[1]]


def frame_of(luma: np.ndarray, number: int = 0, depth: int = 8, layout: PlaneLayout = YUV, rate: int = 24) -> Frame:
    luma = np.rint(luma * 2 ** (depth - 8)).astype(np.uint8 if depth == 8 else np.uint16)
    small = layout.chroma_size(luma.shape)
    chroma = np.full(small, 2 ** (depth - 1), luma.dtype)
    planes = (luma, luma.copy(), luma.copy()) if layout.is_rgb else (luma, chroma, chroma.copy())
    color = ColorInfo("rgb" if layout.is_rgb else "bt709", full_range=layout.is_rgb, bit_depth=depth)
    return Frame(planes, layout, color, Timestamp(number, Fraction(1, rate)), number)


def marked_clip(num_frames: int = 72, **how: int) -> Iterator[Frame]:
    marker = LumaMarker(PAYLOAD)
    for number in range(num_frames):
        yield marker.mark(frame_of(scene(number), number, **how))


def with_luma(frame: Frame, luma: np.ndarray) -> Frame:
    return frame_of(np.asarray(luma, np.float32).clip(0, 255), frame.index)


def test_the_code_is_the_bch_code_of_the_tables() -> None:
    assert generator_polynomial() == int("1206534025570773100045", 8)  # Lin & Costello, appendix C


def test_different_payloads_are_at_least_21_bits_apart() -> None:
    words = [Payload(i).code_word() for i in (0, 1, 2, 3, 2**39, 2**40 - 1)]
    distances = [int((a != b).sum()) for i, a in enumerate(words) for b in words[:i]]
    assert min(distances) >= 21


@pytest.mark.parametrize("num_wrong", [0, 10, 16])
def test_wrong_bits_are_corrected_when_they_are_the_unsure_ones(num_wrong: int) -> None:
    rng = np.random.default_rng(num_wrong)
    soft = (2.0 * PAYLOAD.code_word() - 1) * rng.uniform(0.5, 2, CODE_BITS)
    wrong = rng.choice(CODE_BITS, num_wrong, replace=False)
    soft[wrong] *= -0.4
    decoded = decode(soft)
    assert decoded is not None
    assert decoded[0] == PAYLOAD
    np.testing.assert_array_equal(decoded[1], PAYLOAD.code_word())


def test_noise_is_no_payload() -> None:
    rng = np.random.default_rng(1)
    assert all(decode(rng.normal(size=CODE_BITS)) is None for _ in range(20))


@pytest.mark.parametrize("number", [-1, 2**40])
def test_an_id_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match="40 bits"):
        Payload(number)


def test_bits_and_sync_share_the_waves_and_the_tile_never_changes() -> None:
    tile = tile_of(PAYLOAD.code_word())
    assert tile.shape == (TILE, TILE)
    assert abs(float(tile.mean())) < 1e-5
    assert float(tile.std()) == pytest.approx(1)
    counts = np.bincount(waves().bit)
    assert counts.min() == counts.max() >= 10
    # Copies made by earlier versions must be found by later ones.
    np.testing.assert_allclose(tile[0, :4], [-1.890795, -1.954158, -1.11441, -0.141968], atol=1e-4)


@pytest.mark.parametrize(("size", "scale"), [((240, 320), 1), ((1080, 1920), 1), ((2160, 3840), 2), ((3840, 2160), 2)])
def test_tiles_grow_with_the_picture(size: tuple[int, int], scale: int) -> None:
    assert scale_for(size) == scale


@pytest.mark.parametrize(("depth", "layout"), [(8, YUV), (10, YUV), (16, YUV), (12, RGB)])
def test_only_samples_under_alpha_change_and_as_little_at_every_depth(depth: int, layout: PlaneLayout) -> None:
    frame = frame_of(scene(0), 0, depth, layout)
    alpha = np.zeros(frame.size, np.float32)
    alpha[60:200, 100:260] = cv2.GaussianBlur(np.ones((140, 160), np.float32), (0, 0), 5)
    marked = LumaMarker(PAYLOAD).mark(frame, alpha)
    differences = [m.astype(float) - o for m, o in zip(marked.planes, frame.planes, strict=True)]
    step = differences[0] / 2 ** (depth - 8)
    assert not step[alpha == 0].any()
    assert 0.7 < step[alpha > 0].std() < 2.3
    assert np.abs(step).max() < 12
    for other in differences[1:]:
        if layout.is_rgb:
            np.testing.assert_array_equal(other, differences[0])
        else:
            assert not other.any()


def test_black_stays_black_and_codes_stay_in_range() -> None:
    luma = np.full((128, 128), 16.0)
    luma[:, 64:] = 255
    marked = LumaMarker(PAYLOAD).mark(frame_of(luma)).planes[0]
    assert (marked[:, :48] == 16).all()
    assert marked[:, 80:].max() == 255


def test_alpha_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match="one size"):
        LumaMarker(PAYLOAD).mark(frame_of(scene(0)), np.ones((5, 5), np.float32))


def test_a_frame_without_a_face_is_the_very_object() -> None:
    frame = frame_of(scene(0))
    assert LumaMarker(PAYLOAD).mark(frame, np.zeros(frame.size, np.float32)) is frame


def test_the_pattern_moves_every_second() -> None:
    marker = LumaMarker(PAYLOAD)
    steps = [
        marker.mark(frame_of(scene(0), n)).planes[0].astype(int) - frame_of(scene(0)).planes[0] for n in (0, 23, 24)
    ]
    np.testing.assert_array_equal(steps[0], steps[1])
    assert (steps[0] != steps[2]).mean() > 0.3


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("has_alpha", [True, False])
def test_tensors_get_the_same_mark(depth: int, has_alpha: bool) -> None:
    frames = [frame_of(scene(n, (203, 301)), n, depth) for n in (30, 31)]
    alpha = np.zeros((203, 301), np.float32)
    alpha[20:180, 40:230] = 0.8
    given = alpha if has_alpha else None
    expected = np.stack([LumaMarker(PAYLOAD).mark(frame, given).planes[0] for frame in frames]).astype(int)
    luma = torch.from_numpy(np.stack([frame.planes[0] for frame in frames]).astype(np.int32))
    tensor = torch.from_numpy(alpha).expand(2, -1, -1) if has_alpha else None
    result = TensorMarker(PAYLOAD, "cpu").mark(luma, epoch_of(frames[0]), frames[0].color, tensor)
    difference = np.abs(result.numpy() - expected)
    assert result.dtype == torch.int32
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def jpeg(frame: Frame) -> Frame:
    coded = cv2.imencode(".jpg", frame.planes[0], [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return with_luma(frame, cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))


def half(frame: Frame) -> Frame:
    return with_luma(frame, cv2.resize(frame.planes[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


ATTACKS = {
    "nothing": lambda frame: frame,
    "jpeg": jpeg,
    "cropped": lambda frame: with_luma(frame, frame.planes[0][31:250, 77:350]),
    "brighter": lambda frame: with_luma(frame, 255 * (frame.planes[0] / 255.0) ** 0.75),
    "half the size": half,
    "cut from the middle": lambda frame: replace(frame, time=Timestamp(frame.index + 1009, Fraction(1, 24))),
    "played faster": lambda frame: replace(frame, time=Timestamp(frame.index, Fraction(1, 25))),
    "noise": lambda frame: with_luma(
        frame, frame.planes[0] + np.random.default_rng(frame.index).normal(0, 6, frame.size)
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_copies_are_recognised(attack: str) -> None:
    found = detect((ATTACKS[attack](frame) for frame in marked_clip()), any_size=False)
    assert found is not None
    assert (found.id, found.kind) == (PAYLOAD.id, PAYLOAD.kind)
    assert found.false_positive_rate < 1e-6
    assert found.size == (0.5 if attack == "half the size" else 1)


def test_a_face_alone_is_enough() -> None:
    marker = LumaMarker(PAYLOAD)
    alpha = np.zeros((288, 384), np.float32)
    cv2.ellipse(alpha, (200, 150), (80, 105), 0, 0, 360, 1.0, -1)
    frames = (jpeg(marker.mark(frame_of(scene(n), n), alpha)) for n in range(72))
    found = detect(frames, any_size=False)
    assert found is not None
    assert found.id == PAYLOAD.id


@pytest.mark.slow
def test_an_unusual_size_is_found() -> None:
    frames = (
        with_luma(frame, cv2.resize(frame.planes[0], None, fx=0.871, fy=0.871, interpolation=cv2.INTER_AREA))
        for frame in marked_clip()
    )
    found = detect(frames)
    assert found is not None
    assert found.id == PAYLOAD.id
    assert found.size == pytest.approx(0.871, rel=0.1)


def test_unmarked_frames_say_nothing() -> None:
    assert detect((frame_of(scene(n), n) for n in range(48)), any_size=False) is None


def test_of_two_marks_joined_the_first_is_named() -> None:
    other = LumaMarker(Payload(99))
    second = (other.mark(frame_of(scene(n), n + 240)) for n in range(48))
    found = detect([*marked_clip(48), *second], any_size=False)
    assert found is not None
    assert found.id == PAYLOAD.id


def test_no_frames_have_no_mark() -> None:
    assert detect([]) is None
