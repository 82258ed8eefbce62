"""Finding recipes: a path, then the recipes inside the installed package, then those of the checkout."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from faceswap.config import read_toml
from faceswap.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "_recipes", _PACKAGE.parent / "training" / "recipes")


def recipe_names() -> dict[str, Path]:
    """Return the recipes that come with faceswap, by name."""
    return {
        path.stem: path for folder in reversed(_FOLDERS) if folder.is_dir() for path in sorted(folder.glob("*.toml"))
    }


def find_recipe(name: str) -> Path:
    """Return the file of a recipe given by name or path.

    Raises:
        UsageError: no such recipe; names the nearest.
    """
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    known = recipe_names()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)} (or give the path of a .toml file)"
    raise UsageError(f"no recipe {name!r}; {hint}")


def load_recipe(name: str) -> dict[str, Any]:
    """Return a recipe's content, unchecked; `TrainConfig` checks it."""
    return read_toml(find_recipe(name))
