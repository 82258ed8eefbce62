"""Settings that are one share or several by name: 0.02, or top=0.05,bottom=0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from faceswap.masks.edges import Sides
from faceswap.masks.opacity import Opacity, opacity_of
from faceswap.masks.regions import REGIONS

_ALL = "all"
_SIDES = ("top", "bottom", "left", "right")


def shares_of(value: object, names: tuple[str, ...], low: float, high: float) -> dict[str, float]:
    """Return shares by name, in their order; "all" for the one without a name.

    Args:
        value: a number, a text like "0.02", "0.02,top=0.05" or "top=0.05+bottom=0", or a table.
        names: that are allowed beside "all". low, high: the range of each share.

    Raises:
        ValueError: anything else; the message says what is allowed.
    """
    found: dict[str, float] = {}
    for name, text in _pairs(value):
        if name != _ALL and name not in names:
            raise ValueError(f"there is no {name!r}; allowed: a number, or NAME=NUMBER with {', '.join(names)}")
        try:
            share = float(text)
        except (TypeError, ValueError):
            raise ValueError(f"{text!r} is no number; write a number, or NAME=NUMBER with {', '.join(names)}") from None
        if not low <= share <= high:
            raise ValueError(f"{share:g} is not between {low:g} and {high:g}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = share
    if not found:
        raise ValueError(f"it says nothing; write a number, or NAME=NUMBER with {', '.join(names)}")
    return found


def _pairs(value: object) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), share) for name, share in value.items()]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [(_ALL, value)]
    if not isinstance(value, str):
        raise ValueError("write a number, or a table of them")
    words = [word.strip() for word in value.replace("+", ",").split(",")]
    return [
        (name.strip(), text.strip()) if is_named else (_ALL, name)
        for word in words
        for name, is_named, text in [word.partition("=")]
    ]


def _sides(value: object) -> object:
    if isinstance(value, Sides):
        return value
    shares = shares_of(value, _SIDES, -0.3, 0.3)
    everywhere = shares.pop(_ALL, 0.0)
    return Sides(**(dict.fromkeys(_SIDES, everywhere) | shares))


def _opacity(value: object) -> object:
    return value if isinstance(value, Opacity) else opacity_of(shares_of(value, REGIONS, 0, 1))


def plain_sides(sides: Sides) -> float | dict[str, float]:
    """Return what stands for sides in TOML and JSON."""
    return sides.top if sides.is_even else asdict(sides)


def plain_opacity(opacity: Opacity) -> float | dict[str, float]:
    """Return what stands for an opacity in TOML and JSON."""
    return {_ALL: opacity.all, **dict(opacity.parts)} if opacity.parts else opacity.all


SidesSetting = Annotated[Sides, BeforeValidator(_sides), PlainSerializer(plain_sides)]
OpacitySetting = Annotated[Opacity, BeforeValidator(_opacity), PlainSerializer(plain_opacity)]


def share_words(value: Sides | Opacity) -> str:
    """Return a setting of this kind as it is written in `preview --grid`: "0.02", "top=0.05+bottom=0"."""
    plain = plain_sides(value) if isinstance(value, Sides) else plain_opacity(value)
    if isinstance(plain, float):
        return f"{plain:g}"
    usual = {_ALL: 1.0} if isinstance(value, Opacity) else dict.fromkeys(_SIDES, 0.0)
    return "+".join(f"{name}={share:g}" for name, share in plain.items() if usual.get(name) != share)
