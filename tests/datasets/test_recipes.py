"""What datasets/ and docs/ say is what the code does."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from faceswap.config import validated
from faceswap.demo import run
from faceswap.faces import index
from faceswap.facesets import schema
from faceswap.facesets.build import DEFAULT_MARGIN, extract_faces
from faceswap.recipes import load_recipe, recipe_names
from faceswap.train.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]


def test_demo_recipe_states_the_codes_values() -> None:
    recipe = tomllib.loads((ROOT / "datasets/recipes/demo.toml").read_text())
    clips, faceset = recipe["clips"], recipe["faceset"]
    assert (tuple(clips["size"]), clips["rate"], clips["frames"]) == (run.SIZE, run.RATE, run.NUM_FRAMES)
    defaults = {name: p.default for name, p in inspect.signature(extract_faces).parameters.items()}
    assert faceset == {name: defaults[name] for name in faceset}
    assert faceset["margin"] == DEFAULT_MARGIN


@pytest.mark.parametrize("name", sorted(recipe_names()))
def test_every_recipe_is_valid_and_says_how_to_run_it(name: str) -> None:
    validated(TrainConfig, load_recipe(name), name)
    head = recipe_names()[name].read_text().splitlines()[:2]
    assert head[0].startswith(f"# {name}: ")
    assert f"--recipe {name}" in head[1]


@pytest.mark.parametrize(
    ("page", "tables"), [("face-index.md", index._TABLES), ("faceset.md", ";".join(schema.TABLES))]
)
def test_format_page_names_every_column(page: str, tables: str) -> None:
    text = (ROOT / "docs/formats" / page).read_text()
    columns = set(re.findall(r"(\w+) (?:INTEGER|REAL|TEXT|BLOB)\b", tables))
    assert {column for column in columns if f"`{column}`" not in text} == set()
