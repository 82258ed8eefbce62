from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import gradient_picture, make_clip
from makers import smooth_noise

from faceswap.media.layouts import layout_of
from faceswap.media.reader import open_clip
from faceswap.media.shots import ShotDetector
from faceswap.types import ColorInfo, Frame, Timestamp

STAGE = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips" / "stage_microphone_cut.mp4"
SIZE = (72, 128)
LAYOUT = layout_of("yuv420p")[0]
Scene = Callable[[float], np.ndarray]
"""Seconds -> (72, 128) float luma, code values."""
Boundary = tuple[int, str]


@lru_cache(maxsize=16)  # footage asks for it again at every frame
def scene(seed: int, *, speed: float = 6.0) -> Scene:
    """A texture of coarse and fine parts that moves by `speed` px a second."""
    coarse, middle, fine = (smooth_noise((SIZE[0], 600), seed, blur=blur)[..., 0] for blur in (14.0, 4.0, 1.5))
    wide = np.clip(128 + 250 * (coarse - 0.5) + 120 * (middle - 0.5) + 90 * (fine - 0.5), 20, 235)

    def at(seconds: float) -> np.ndarray:
        shift = np.array([[1, 0, abs((speed * seconds) % 900 - 450) - 450], [0, 1, 0]], dtype=np.float64)  # to and fro
        return cv2.warpAffine(wide, shift, SIZE[::-1], borderMode=cv2.BORDER_REFLECT)

    return at


def boundaries(picture: Scene, times: Sequence[float], *, grain: float = 2.0) -> list[Boundary]:
    """Return where the shots of generated footage begin, but for the first."""
    detector, random = ShotDetector(), np.random.default_rng(0)
    for index, seconds in enumerate(times):
        luma = picture(seconds) + grain * random.standard_normal(SIZE).astype(np.float32)
        plane = np.clip(luma, 0, 255).astype(np.uint8)
        time = Timestamp(round(seconds * 90_000), Fraction(1, 90_000))
        detector.add(Frame((plane, plane, plane), LAYOUT, ColorInfo(), time, index))
    shots = detector.shots()
    assert shots[0].start == 0
    assert shots[0].transition == "start"
    assert shots[-1].stop == len(times)
    assert [shot.stop for shot in shots[:-1]] == [shot.start for shot in shots[1:]]
    return [(shot.start, shot.transition) for shot in shots[1:]]


def even(seconds: float, rate: float) -> list[float]:
    return [i / rate for i in range(round(seconds * rate))]


def dissolve(old: Scene, new: Scene, start: float, stop: float) -> Scene:
    def at(seconds: float) -> np.ndarray:
        share = float(np.clip((seconds - start) / (stop - start), 0, 1))
        return (1 - share) * old(seconds) + share * new(seconds)

    return at


def through_black(old: Scene, new: Scene, middle: float, ramp: float, hold: float) -> Scene:
    def at(seconds: float) -> np.ndarray:
        light = float(np.clip((abs(seconds - middle) - hold / 2) / ramp, 0, 1))
        return 16 + light * ((old if seconds < middle else new)(seconds) - 16)

    return at


@pytest.mark.parametrize("rate", [24, 25, 50, 60])
@pytest.mark.parametrize("seconds", [0.4, 1.0, 2.0])
def test_dissolve_is_one_boundary_in_its_middle(rate: int, seconds: float) -> None:
    found = boundaries(dissolve(scene(1), scene(2), 1.5, 1.5 + seconds), even(3 + seconds, rate))
    assert [kind for _, kind in found] == ["dissolve"]
    assert found[0][0] / rate == pytest.approx(1.5 + seconds / 2, abs=max(0.06, 0.1 * seconds))


def test_dissolve_of_a_variable_rate_clip_is_found_by_its_times() -> None:
    random = np.random.default_rng(4)
    times = np.cumsum(random.choice([1 / 60, 1 / 30, 1 / 15], 140)).tolist()
    start = times[50]
    found = boundaries(dissolve(scene(1), scene(2), start, start + 1), times)
    assert [kind for _, kind in found] == ["dissolve"]
    assert times[found[0][0]] == pytest.approx(start + 0.5, abs=0.12)


def test_fade_through_black_is_one_boundary_in_the_middle_of_the_black() -> None:
    found = boundaries(through_black(scene(1), scene(2), 2.0, 0.8, 0.4), even(4, 25))
    assert [kind for _, kind in found] == ["fade"]
    assert found[0][0] == pytest.approx(50, abs=2)


def test_cut_dissolve_and_fade_are_told_apart() -> None:
    first = dissolve(scene(1), scene(2), 2.0, 3.0)
    second = through_black(first, scene(3), 5.0, 0.6, 0.2)
    found = boundaries(lambda t: second(t) if t < 7 else scene(4)(t), even(9, 25))
    assert [kind for _, kind in found] == ["dissolve", "fade", "cut"]
    assert [frame for frame, _ in found] == pytest.approx([62, 125, 175], abs=3)


def test_black_at_the_start_and_end_is_no_boundary() -> None:
    def faded(seconds: float) -> np.ndarray:
        return 16 + float(np.clip(min(seconds, 4 - seconds) - 0.4, 0, 1)) * (scene(1)(seconds) - 16)

    assert boundaries(faded, even(4, 25)) == []


def flashes(seconds: float) -> np.ndarray:
    is_lit = 1.0 <= seconds < 1.1 or 2.0 <= seconds < 2.05
    return scene(1)(seconds) * (1.6 if is_lit else 1.0) + (40 if is_lit else 0)


def light_goes_up(seconds: float) -> np.ndarray:
    return (0.4 + 0.6 * float(np.clip(seconds - 1, 0, 1))) * scene(1)(seconds)


def light_moves(seconds: float) -> np.ndarray:
    share, x = float(np.clip(seconds - 1, 0, 1)), np.linspace(0, 1, SIZE[1])
    return scene(1, speed=0)(seconds) * (0.4 + 0.6 * ((1 - share) * x + share * (1 - x)))


def zoom(seconds: float) -> np.ndarray:
    scale = 1 + 0.1 * seconds
    matrix = np.array([[scale, 0, (1 - scale) * SIZE[1] / 2], [0, scale, (1 - scale) * SIZE[0] / 2]])
    return cv2.warpAffine(scene(1, speed=0)(0), matrix, SIZE[::-1])


def whip_pan(seconds: float) -> np.ndarray:
    # The shutter is open all the time: the picture smears.
    moments = [1.2 * np.clip((seconds + i / 200 - 1.5) / 0.25, 0, 1) for i in range(8)]
    return np.mean([scene(1, speed=300)(moment) for moment in moments], axis=0)


@pytest.mark.parametrize("rate", [24, 50])
@pytest.mark.parametrize(
    "picture",
    [scene(1), scene(1, speed=120), scene(2, speed=400), flashes, light_goes_up, light_moves, zoom, whip_pan],
    ids=["slow", "pan", "fast pan", "flashes", "light goes up", "light moves", "zoom", "whip pan"],
)
def test_one_shot_stays_one(picture: Scene, rate: int) -> None:
    assert boundaries(picture, even(4, rate)) == []


def test_strong_grain_is_no_boundary() -> None:
    assert boundaries(scene(1), even(3, 25), grain=25.0) == []


def test_gap_in_time_is_no_boundary() -> None:
    times = [*even(1, 25), *(3 + t for t in even(1, 25)), *(4.5 + t for t in even(1, 5))]
    assert boundaries(scene(1), times) == []


def test_repeated_frames_of_a_converted_rate_are_no_cuts() -> None:
    fast = scene(2, speed=200)
    assert boundaries(lambda t: fast(int(t * 24 + 1e-6) / 24), even(2, 60)) == []


def test_cut_after_a_gap_in_time_is_found() -> None:
    times = [*even(1, 25), *(2 + t for t in even(1, 25))]
    assert boundaries(lambda t: (scene(1) if t < 1.5 else scene(2))(t), times) == [(25, "cut")]


def test_cut_at_the_very_end_is_found() -> None:
    assert boundaries(lambda t: (scene(1) if t < 1.9 else scene(2))(t), even(2, 25)) == [(48, "cut")]


def test_jump_is_told_at_once() -> None:
    detector, told = ShotDetector(), []
    for index in range(12):
        luma = scene(1 if index < 7 else 2)(index / 25).astype(np.uint8)
        frame = Frame((luma, luma, luma), LAYOUT, ColorInfo(), Timestamp(index, Fraction(1, 25)), index)
        told.append(detector.add(frame))
    assert [index for index, is_jump in enumerate(told) if is_jump] == [0, 7]


def cuts(path: Path) -> list[int]:
    detector = ShotDetector()
    for frame in open_clip(path):
        detector.add(frame)
    return [shot.start for shot in detector.shots()]


def test_cut_of_an_encoded_clip_is_found_at_its_frame(tmp_path: Path) -> None:
    def picture(index: int) -> np.ndarray:
        calm = gradient_picture((120, 160), index)
        return calm if index < 7 else 255 - calm

    assert cuts(make_clip(tmp_path / "cut.mp4", picture=picture)) == [0, 7]


def test_fast_even_motion_is_no_cut(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "pan.mp4", picture=lambda i: gradient_picture((120, 160), 4 * i))
    assert cuts(clip) == [0]


@pytest.mark.shared
@pytest.mark.skipif(not STAGE.is_file(), reason="the stage recording is not beside the checkout")
def test_cuts_of_a_dark_stage_recording_are_found() -> None:
    assert cuts(STAGE) == [0, 20, 82, 211]
