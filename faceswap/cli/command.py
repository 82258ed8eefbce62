"""Options that every command has, added in one place."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from faceswap.cli.console import Console
from faceswap.errors import UsageError


@dataclass(frozen=True, slots=True)
class Run:
    """What every command gets besides its own options."""

    console: Console
    device: str
    seed: int | None


_COMMON: dict[str, tuple[Any, Any]] = {
    "device": (Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")], "auto"),
    "seed": (Annotated[int | None, typer.Option(min=0, help="For whatever is random in the command.")], None),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and results only.")], False),
    "verbose": (Annotated[bool, typer.Option("--verbose", "-v", help="Print more; errors with their trace.")], False),
    "log_file": (Annotated[Path | None, typer.Option(help="Append what is said to this file, too.")], None),
}


_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def examples(*lines: str) -> str:
    """Return an epilog with examples, one a paragraph."""
    return "\n\n".join(["Examples:", *lines])


def command(
    app: typer.Typer, epilog: str, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function `(run: Run, ...)` as a command with the common options added.

    A parameter whose type is a dataclass stands for all of that class's fields: options that several commands share.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        own = list(inspect.signature(function).parameters.values())[1:]
        groups = {p.name: hints[p.name] for p in own if is_dataclass(hints[p.name])}

        @functools.wraps(function)
        def wrapper(**values: Any) -> None:
            common = {key: values.pop(key) for key in _COMMON}
            if not _DEVICE.fullmatch(common["device"]):
                raise UsageError(f"unknown device {common['device']!r}; allowed: auto, cpu, cuda, cuda:N")
            console = Console(quiet=common["quiet"], verbose=common["verbose"], log_file=common["log_file"])
            for key, group in groups.items():
                values[key] = group(**{field.name: values.pop(field.name) for field in fields(group)})
            with console:
                function(Run(console, common["device"], common["seed"]), **values)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters: list[inspect.Parameter] = []
        for parameter in own:
            if parameter.name in groups:
                parameters += _options_of(groups[parameter.name])
            else:
                parameters.append(parameter.replace(annotation=hints[parameter.name], kind=keyword))
        parameters += [
            inspect.Parameter(key, keyword, default=default, annotation=annotation)
            for key, (annotation, default) in _COMMON.items()
        ]
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return app.command(name, epilog=epilog, no_args_is_help=False)(wrapper)

    return decorate


def _options_of(group: type[Any]) -> list[inspect.Parameter]:
    """Return the fields of a group of options as parameters of a command."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
