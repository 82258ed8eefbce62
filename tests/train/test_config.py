from __future__ import annotations

import pytest
from makers import tiny_config, tiny_values

from faceswap.config import validated, with_overrides
from faceswap.errors import UsageError
from faceswap.recipes import load_recipe, recipe_names
from faceswap.train.config import TrainConfig


def check(**over: object) -> TrainConfig:
    return validated(TrainConfig, tiny_values(**over), "recipe tiny")


@pytest.mark.parametrize("name", sorted(recipe_names()))
def test_shipped_recipe_is_valid(name: str) -> None:
    assert validated(TrainConfig, load_recipe(name), name).network.size >= 64


def test_misspelt_key_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown key 'learning_rat'; did you mean 'learning_rate'"):
        check(learning_rat=1e-4)


def test_misspelt_key_of_a_table_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'augment.rotation'; did you mean 'rotation_degrees'"):
        check(augment={"rotation": 3})


@pytest.mark.parametrize(
    ("over", "name"),
    [
        ({"batch": -1}, "batch = -1"),
        ({"learning_rate": -1}, "learning_rate = -1"),
        ({"budget": "soon"}, "budget = 'soon'"),
        ({"precision": "fp8"}, "precision = 'fp8'"),
        ({"augment": {"flip": 2}}, "augment.flip = 2"),
        ({"ema_decay": float("nan")}, "ema_decay = nan"),
        ({"network": {"size": 32}}, "network.size = 32"),
    ],
)
def test_impossible_value_is_named(over: dict, name: str) -> None:
    with pytest.raises(UsageError, match=f"recipe tiny: {name}"):
        check(**over)


def test_budget_is_read_in_seconds() -> None:
    assert tiny_config(budget="1h30m").budget_seconds == 5400
    assert tiny_config(budget=None).budget_seconds is None


def test_override_reaches_a_table() -> None:
    values = with_overrides(tiny_values(), ["network.size=96", "augment.flip=0.5"])
    config = validated(TrainConfig, values, "recipe tiny")
    assert (config.network.size, config.augment.flip) == (96, 0.5)
