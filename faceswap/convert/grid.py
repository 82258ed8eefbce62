"""Comparison grids: which settings are compared, and the settings of each cell."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faceswap.config import validated
from faceswap.convert.config import ConvertConfig
from faceswap.convert.face_settings import FaceSettings, Override, choices_of, in_words
from faceswap.errors import UsageError

_USUAL = {
    "feather": ("0.04", "0.08", "0.16"),
    "light": ("0", "0.5", "1"),
    "sharpness": ("0", "0.5", "1"),
    "passes": ("1", "2"),
    "restore_strength": ("0", "0.5", "1"),
    "restore_faithfulness": ("0", "0.5", "1"),
    "erode": ("0", "0.04", "0.08"),
    "refine_mask": ("0", "0.03", "0.06"),
    "mask_steady": ("0", "0.6", "0.8"),
    "opacity": ("0", "0.5", "1"),
    "keep": ("none", "eyes", "mouth", "eyes+mouth"),
}
"""Values to compare where none are given, for settings that are no choice of words."""
_MAX_CELLS = 48


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting and the values of it that are compared."""

    name: str
    values: tuple[Any, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """What stands above each value."""
        return tuple(f"{self.name}={in_words(value)}" for value in self.values)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to render the same face."""

    title: str
    """Empty = the only way."""
    config: ConvertConfig


@dataclass(frozen=True, slots=True)
class Grid:
    """Variants in rows; one row without a second axis, one variant without any."""

    variants: tuple[Variant, ...]
    num_columns: int


def grid_of(config: ConvertConfig, texts: Sequence[str]) -> Grid:
    """Return the variants that `--grid` asks for; their values win over the settings and all overrides.

    Args:
        texts: "KEY=V1,V2" or "KEY" (all its words, or usual values), several keys separated by commas too. The first is down
            the rows where there are two, the other along them. A list is joined by "+": "keep=none,eyes+mouth".

    Raises:
        UsageError: unknown keys or values, more than two axes, too many cells.
    """
    axes = [_axis(word) for text in texts for word in ([text] if "=" in text else text.split(","))]
    if len(axes) > 2 or len({axis.name for axis in axes}) < len(axes):
        names = ", ".join(axis.name for axis in axes)
        raise UsageError(f"--grid compares one setting, or two different ones as rows and columns; {names} were given")
    cells = list(itertools.product(*(zip(axis.values, axis.titles, strict=True) for axis in axes)))
    if len(cells) > _MAX_CELLS:
        raise UsageError(f"--grid asks for {len(cells)} pictures of each face; at most {_MAX_CELLS} are possible")
    variants = []
    for cell in cells:
        values = {axis.name: value for axis, (value, _) in zip(axes, cell, strict=True)}
        over = (*config.override, Override.model_validate(values)) if values else config.override
        variants.append(Variant("  ".join(title for _, title in cell), config.model_copy(update={"override": over})))
    return Grid(tuple(variants), len(axes[-1].values) if axes else 1)


def _axis(text: str) -> Axis:
    name, separator, rest = text.partition("=")
    name = name.strip().replace("-", "_")
    if name not in FaceSettings.model_fields:
        is_of_job = name in ConvertConfig.model_fields
        near = [] if is_of_job else difflib.get_close_matches(name, FaceSettings.model_fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(FaceSettings.model_fields)}"
        raise UsageError(f"--grid: there is no setting {name!r} to compare; {hint}")
    words = [word.strip() for word in rest.split(",")] if separator else choices_of(name) or _USUAL.get(name, ())
    if not all(words) or not words:
        raise UsageError(f"--grid {text!r} gives no values to compare; write them like --grid {name}=A,B")
    values = []
    for word in words:
        is_list = isinstance(FaceSettings.model_fields[name].default, tuple)
        given = {name: word.split("+") if is_list else word}
        values.append(getattr(validated(FaceSettings, given, f"--grid {text}"), name))
    return Axis(name, tuple(dict.fromkeys(values)))
