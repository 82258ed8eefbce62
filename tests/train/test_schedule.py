from __future__ import annotations

from itertools import pairwise

import pytest
from makers import tiny_config

from faceswap.errors import UsageError
from faceswap.train.config import TrainConfig
from faceswap.train.schedule import Place, advanced, expected_steps, require_end, run_share, stages_of
from faceswap.train.schedule import learning_rate as rate_of


def learning_rate(config: TrainConfig, step: int, share: float) -> float:
    return rate_of(config, Place(), step, share)


@pytest.mark.parametrize(
    ("limits", "step", "seconds", "share"),
    [
        ({"steps": 100}, 25, 1e9, 0.25),
        ({"steps": None, "budget": "10m"}, 10**6, 300, 0.5),
        ({"steps": 100, "budget": "10m"}, 25, 300, 0.5),
        ({"steps": 100, "budget": "10m"}, 75, 300, 0.75),
        ({"steps": 100}, 101, 0, 1.0),
        ({"steps": None}, 10, 10, 0.0),
    ],
)
def test_share_is_the_further_of_steps_and_budget(limits: dict, step: int, seconds: float, share: float) -> None:
    assert run_share(tiny_config(**limits), step, seconds) == pytest.approx(share)


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        ({"steps": 400}, 400),
        ({"steps": None, "budget": "30m"}, 100 + 2 * 900),  # whatever the pace was before this run
        ({"steps": 400, "budget": "30m"}, 400),
        ({"steps": 4000, "budget": "30m"}, 1900),
        ({"steps": None, "budget": "10m"}, 100),
        ({"steps": None, "until": "plateau"}, None),
    ],
)
def test_end_is_expected_by_the_pace_of_this_run(limits: dict[str, object], steps: int | None) -> None:
    assert expected_steps(tiny_config(**limits), step=100, seconds=900.0, rate=2.0) == steps


def test_rate_rises_while_warming_up() -> None:
    config = tiny_config(warm_up=4, learning_rate=1e-3)
    rates = [learning_rate(config, step, 0.0) for step in range(6)]
    assert rates == pytest.approx([0.2e-3, 0.4e-3, 0.6e-3, 0.8e-3, 1e-3, 1e-3])


def test_rate_is_flat_then_falls_to_a_twentieth() -> None:
    config = tiny_config(warm_up=0, learning_rate=1e-3, decay_from=0.5)
    rates = [learning_rate(config, 100, share / 10) for share in range(11)]
    assert rates[:6] == pytest.approx([1e-3] * 6)
    assert all(later < sooner for sooner, later in pairwise(rates[5:]))
    assert rates[-1] == pytest.approx(0.05e-3)


def test_rate_without_decay_stays() -> None:
    assert learning_rate(tiny_config(warm_up=0, decay_from=1, learning_rate=1e-3), 100, 1.0) == pytest.approx(1e-3)


def test_run_without_stages_warps_first_and_sharpens_then() -> None:
    config = tiny_config(steps=100, augment={"warp_until": 0.75})
    warps = []
    place: Place | None = Place()
    for step in range(100):
        assert place is not None
        place = advanced(config, place, step, step / 100, has_plateau=False)
        assert place is not None
        warps.append(stages_of(config)[place.stage].warp)
    assert warps == [True] * 75 + [False] * 25
    assert advanced(config, place, 100, 1.0, has_plateau=False) is None


STAGES = [
    {"until": "10 steps", "learning_rate": 1e-3},
    {"until": "plateau", "warm_up": 4},
    {"until": "50% more", "warp": False, "decay_from": 0.0, "learning_rate": 1e-3},
]


def walk(config: TrainConfig, plateaus: set[int], most: int = 200) -> list[int]:
    """Return the stage of each step of a run without an end of its own."""
    stages, place = [], Place()
    for step in range(most):
        now = advanced(config, place, step, 0.0, has_plateau=step in plateaus)
        if now is None:
            return stages
        place = now
        stages.append(place.stage)
    raise AssertionError("the run does not end")


def test_stages_end_by_steps_by_plateau_and_by_what_was_done_before() -> None:
    stages = walk(tiny_config(steps=None, stage=STAGES), plateaus={3, 30})
    assert [stages.count(number) for number in range(3)] == [10, 20, 15]


def test_run_that_stops_by_itself_finishes_without_warp() -> None:
    config = tiny_config(steps=None, until="plateau")
    require_end(config)
    stages = walk(config, plateaus={100})
    assert [stages.count(number) for number in range(2)] == [100, 30]
    assert [stage.warp for stage in stages_of(config)] == [True, False]


def test_early_plateau_leaves_its_share_to_the_next_stage() -> None:
    config = tiny_config(steps=100, stage=[{"until": "plateau"}, {"until": 1.0, "decay_from": 0.5}])
    place = advanced(config, Place(), 20, 0.2, has_plateau=True)
    assert place == Place(1, 20, 0.2)
    assert rate_of(config, place, 60, 0.6) == pytest.approx(config.learning_rate)
    assert rate_of(config, place, 100, 1.0) == pytest.approx(0.05 * config.learning_rate)


def test_stage_has_its_own_rate_warm_up_and_decay_or_the_runs() -> None:
    config = tiny_config(steps=100, warm_up=0, learning_rate=2e-3, stage=STAGES)
    assert rate_of(config, Place(), 5, 0.05) == pytest.approx(1e-3)
    assert rate_of(config, Place(1, 10), 10, 0.1) == pytest.approx(2e-3 / 5)
    assert rate_of(config, Place(1, 10), 20, 0.2) == pytest.approx(2e-3)
    rates = [rate_of(config, Place(2, 20), step, 0.2) for step in range(20, 31)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(0.05e-3)
    assert all(later < sooner for sooner, later in pairwise(rates))


def test_run_whose_stages_need_an_end_has_to_have_one() -> None:
    require_end(tiny_config(steps=None, stage=STAGES))
    with pytest.raises(UsageError, match="--until plateau"):
        require_end(tiny_config(steps=None, stage=[*STAGES, {"until": 1.0}]))
