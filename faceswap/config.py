"""Settings that users write: TOML to validated models, with errors that name the nearest allowed key."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from faceswap.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Settings(BaseModel):
    """Base of all user-facing settings: unknown keys are errors, values are checked, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=Settings)


def parse_duration(text: str) -> float:
    """Return the seconds of "90s", "10m", "2h", "1d" or "1h30m".

    Raises:
        UsageError: anything else, or no time at all.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise UsageError(f"{text!r} is not a duration; write it like 90s, 10m, 2h or 1h30m")
    return seconds


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        UsageError: unreadable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def as_toml(values: Mapping[str, Any], table: str = "") -> str:
    """Return nested values as TOML: plain keys first, then tables and lists of tables."""
    lines, tables = [], []
    for key, value in values.items():
        name = f"{table}.{key}" if table else key
        if isinstance(value, Mapping):
            tables.append(f"\n[{name}]\n{as_toml(value, name)}")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            tables += [f"\n[[{name}]]\n{as_toml(entry, name)}" for entry in value]
        elif value is not None:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join([*lines, *tables])


def with_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy of nested `values` with "a.b=1" strings applied; the right side is a TOML value or plain text."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for override in overrides:
        name, separator, text = override.partition("=")
        if not separator or not name.strip():
            raise UsageError(f"--set {override!r} is not key=value; write it like --set batch=8")
        *tables, key = name.strip().split(".")
        place: dict[str, Any] = result
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise UsageError(f"--set {override!r}: {table!r} is a value, not a table")
        place[key] = _toml_value(text.strip())
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def validated(model: type[S], values: Mapping[str, Any], where: str) -> S:
    """Return `values` as a checked settings object.

    Raises:
        UsageError: one line that names the first bad key, its value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {_explain(model, error)}") from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    name = _key_in_words(first["loc"])
    if first["type"] == "value_error" and isinstance(first["input"], dict):
        return f"{name}: {first['ctx']['error']}" if name else str(first["ctx"]["error"])
    if first["type"] != "extra_forbidden":
        return f"{name} = {first['input']!r}: {first['msg']}"
    allowed = _keys_at(model, first["loc"][:-1])
    near = difflib.get_close_matches(str(first["loc"][-1]), allowed, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(sorted(allowed))}"
    return f"unknown key {name!r}; {hint}"


def _key_in_words(path: Iterable[int | str]) -> str:
    """Return "a.b", with the number of a table in a list, from 1: "override 2.feather"."""
    words = ""
    for part in path:
        words += f" {part + 1}" if isinstance(part, int) else f".{part}" if words else part
    return words


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    for part in path:
        if isinstance(part, int):  # a table in a list: `model` is the tables' already
            continue
        annotation = model.model_fields[part].annotation
        if get_origin(annotation) in (tuple, list):
            annotation = get_args(annotation)[0]
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
