from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from faceswap.config import as_toml
from faceswap.errors import UsageError
from faceswap.recipes import load_recipe


def test_recipe_inherits_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('base = "quick-64"\nbatch = 3\n[network]\nmask_dim = 12\n')
    base, own = load_recipe("quick-64"), load_recipe(str(tmp_path / "own.toml"))
    assert own == {**base, "batch": 3, "network": {**base["network"], "mask_dim": 12}}


def test_recipe_inherits_from_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("batch = 3\nseed = 1\n")
    (tmp_path / "b.toml").write_text('base = "a.toml"\nseed = 2\n')
    assert load_recipe(str(tmp_path / "b.toml")) == {"batch": 3, "seed": 2}


def test_recipe_that_is_based_on_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('base = "b.toml"')
    (tmp_path / "b.toml").write_text('base = "a.toml"')
    with pytest.raises(UsageError, match="a -> b -> a"):
        load_recipe(str(tmp_path / "a.toml"))


def test_values_come_back_from_toml() -> None:
    values = {
        "a": 1,
        "b": 'x "y"',
        "c": {"d": [1.5, 2.0], "e": {"f": True}},
        "g": [{"h": 1}, {"h": 2, "i": {"j": "ü"}}],
    }
    assert tomllib.loads(as_toml(values)) == values
