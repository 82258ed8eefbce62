"""`faceswap models`: which networks there are, and bringing, adding and removing their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from faceswap.cli.command import Run, command, examples

if TYPE_CHECKING:
    from faceswap.store import StoredWeights
    from faceswap.weights import WeightsEntry

app = typer.Typer(
    help="List, add, fetch and remove the weights of the networks that look at faces. Nothing is fetched but by `fetch`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=examples("faceswap models list", "faceswap models fetch yunet", "faceswap models add det_10g.onnx"),
)

Commercial = Literal["yes", "no", "unknown"]


@command(app, examples("faceswap models list", "faceswap models list --json"), name="list")
def list_models(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout: one for each row.")] = False,
) -> None:
    """List the networks: embedded, on this machine, and those that could be fetched."""
    from faceswap.store import WeightsStore

    run.console.is_json = as_json
    store = WeightsStore.of_user()
    rows = model_rows(store.entries())
    run.console.result(_table(rows))
    run.console.note(f"weights are kept in {store.folder}")
    for row in rows:
        run.console.event("model", **row)


@command(
    app,
    examples(
        "faceswap models add det_10g.onnx",
        "faceswap models add w600k_r50.onnx --name arcface --commercial no --source https://github.com/deepinsight/insightface",
    ),
    name="add",
)
def add_model(
    run: Run,
    file: Annotated[Path, typer.Argument(help="ONNX file of a known kind (or FAN's weights).")],
    name: Annotated[str | None, typer.Option(help="What to call it; default: its known or its file name.")] = None,
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "unknown",
    commercial: Annotated[Commercial, typer.Option(help="Whether that allows commercial use.")] = "unknown",
    source: Annotated[str, typer.Option(help="Where the file comes from.")] = "",
) -> None:
    """Copy a file of weights into the store, so that it can be used by name."""
    from faceswap.faces.adding import add_weights
    from faceswap.store import WeightsStore

    store = WeightsStore.of_user()
    added, entry = add_weights(
        store, file, name, {"licence": licence, "commercial": commercial, "source": source or str(file.absolute())}
    )
    run.console.result(
        f"{added}: {entry.role} of kind {entry.kind}, {_megabytes(entry.size)}, licence {entry.licence}, "
        f"commercial use: {entry.commercial}; sha256 {entry.sha256}"
    )


@command(app, examples("faceswap models fetch yunet", "faceswap models fetch scrfd-10g"), name="fetch")
def fetch_model(run: Run, name: Annotated[str, typer.Argument(help="A name from `faceswap models list`.")]) -> None:
    """Download known weights into the store; checked against the hash that this version pins."""
    from faceswap.weights import fetch_weights, fetchable

    known = fetchable(name)
    run.console.note(f"{name}: {known.what}; {_megabytes(known.size)} from {known.url}")
    run.console.note(f"licence: {known.licence}; commercial use: {known.commercial}")
    entry = fetch_weights(name, on_progress=run.console.on_progress)
    run.console.result(f"{name} is ready: {entry.role} of kind {entry.kind}, sha256 {entry.sha256}")


@command(app, examples("faceswap models remove yunet", "faceswap models remove my-detector"), name="remove")
def remove_model(run: Run, name: Annotated[str, typer.Argument(help="A name from `faceswap models list`.")]) -> None:
    """Delete weights from the store."""
    from faceswap.store import WeightsStore

    WeightsStore.of_user().remove(name)
    run.console.result(f"{name} is removed")


def model_rows(stored: dict[str, StoredWeights]) -> list[dict[str, object]]:
    """Return what is to be told of each network: embedded ones first, then those here, then those that are missing."""
    from faceswap.weights import weights_registry

    known = weights_registry()
    rows = [_row(name, "embedded", entry) for name, entry in known.items() if entry.is_embedded]
    rows += [_row(name, "here", entry) for name, entry in stored.items()]
    rows += [
        _row(name, "not here", entry) for name, entry in known.items() if not entry.is_embedded and name not in stored
    ]
    return rows


def _row(name: str, state: str, entry: StoredWeights | WeightsEntry) -> dict[str, object]:
    return {
        "weights": name,
        "state": state,
        "role": entry.role,
        "kind": entry.kind,
        "size": entry.size,
        "commercial": entry.commercial,
        "licence": entry.licence,
        "sha256": entry.sha256,
        "source": getattr(entry, "source", None)
        or getattr(entry, "url", None)
        or getattr(entry, "package", None)
        or "",
        "what": entry.what,
    }


def _table(rows: list[dict[str, object]]) -> str:
    heads = ["weights", "state", "role", "kind", "size", "commercial", "licence"]
    lines = [heads]
    for row in rows:
        lines.append([_megabytes(row[h]) if h == "size" else str(row[h]) for h in heads])  # type: ignore[arg-type]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
