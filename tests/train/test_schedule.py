from __future__ import annotations

from itertools import pairwise

import pytest
from makers import tiny_config

from faceswap.train.schedule import learning_rate, run_share


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
