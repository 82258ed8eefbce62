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
    """Return a recipe's content, unchecked; `TrainConfig` checks it.

    A recipe with `base = "NAME"` is that recipe (by name, or by path from its own folder) with its own keys on top; tables are
    merged key by key, lists are replaced.

    Raises:
        UsageError: no such recipe, or one that is based on itself.
    """
    return _with_bases(find_recipe(name), ())


def _with_bases(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path in above:
        raise UsageError(f"recipe {path} is based on itself ({' -> '.join(p.stem for p in (*above, path))})")
    values = read_toml(path)
    base = values.pop("base", None)
    if base is None:
        return values
    beside = path.parent / str(base)
    found = beside if beside.suffix == ".toml" and beside.is_file() else find_recipe(str(base))
    return _merged(_with_bases(found, (*above, path)), values)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
