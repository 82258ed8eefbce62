from __future__ import annotations

import itertools

import numpy as np
import pytest

from faceswap import color
from faceswap.demo.actor import ANDROID, ASTRONAUT, ActorLook, made_up, render_clip, render_sound
from faceswap.demo.motion import pose_at
from faceswap.demo.portrait import Portrait, load_portrait


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return load_portrait()


@pytest.mark.parametrize("look", [ASTRONAUT, ANDROID])
def test_same_seed_gives_the_same_frames(look: ActorLook) -> None:
    first, again = (list(render_clip(look, num_frames=2, seed=3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_frames_have_the_asked_size() -> None:
    frame = next(render_clip(ASTRONAUT, num_frames=1, size=(122, 200), seed=0))
    assert frame.shape == (122, 200, 3)
    assert frame.dtype == np.uint8


def test_motion_has_no_jumps() -> None:
    phases = np.random.default_rng(0).uniform(0, 6, 12)
    poses = [pose_at(i, phases) for i in range(200)]
    for before, after in itertools.pairwise(poses):
        assert abs(after.yaw - before.yaw) < np.radians(2)
        assert abs(after.x - before.x) < 2


def test_android_has_pale_gold_skin_and_yellow_eyes(portrait: Portrait) -> None:
    skin = [color.masked_statistics(color.lab(p.transpose(2, 0, 1)), portrait.skin > 0.9).mean
            for p in (portrait.rgb, made_up(portrait, ANDROID))]  # fmt: skip
    assert skin[1][0] > skin[0][0]  # lighter
    assert skin[1][1] < skin[0][1]  # less red
    iris = color.masked_statistics(made_up(portrait, ANDROID).transpose(2, 0, 1), portrait.iris > 0.9).mean
    assert iris[0] > 2 * iris[2]
    assert iris[1] > 1.5 * iris[2]


def test_make_up_leaves_suit_and_teeth_alone(portrait: Portrait) -> None:
    changed = np.abs(made_up(portrait, ANDROID) - portrait.rgb).max(axis=2)
    assert changed[220:].max() < 1 / 255  # the way to Lab and back
    assert changed[144:146, 220:226].max() < 0.05


def test_matte_separates_her_from_the_studio(portrait: Portrait) -> None:
    assert portrait.person[120, 224] == pytest.approx(1, abs=0.01)
    assert portrait.person[60, 100] == pytest.approx(0, abs=0.01)
    assert portrait.person[60, 360] == pytest.approx(0, abs=0.01)


def test_sound_is_quiet_and_as_long_as_asked() -> None:
    sound = render_sound(0.5, seed=1)
    assert sound.shape == (1, 24000)
    assert 0.05 < np.abs(sound).max() < 0.3
