"""What the commands of `faceswap faceset` share: options, and grouping by person."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.command import Run, examples

if TYPE_CHECKING:
    from faceswap.facesets.store import FaceSet

app = typer.Typer(
    help="Look at facesets, sort crops out (reversibly), merge, split, import, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=examples(
        "faceswap faceset show facesets/data-tng", "faceswap faceset report facesets/data-tng -o report.html"
    ),
)
"""The commands of `faceset*.py` register here."""

Place = Annotated[Path, typer.Argument(metavar="FACESET", help="Folder of a faceset.")]
Json = Annotated[bool, typer.Option("--json", help="JSON Lines on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be sorted out.")]
Encoder = Annotated[
    str | None, typer.Option("--id-encoder", help="Identity encoder (name or ONNX file) that tells people apart.")
]
RANGE = "as LOW:HIGH; either side may be left out; 10% stands for the value that 10 % of the crops fall below."


def group(run: Run, store: FaceSet, id_encoder: str | None, *, is_fresh: bool = False) -> dict[str, str]:
    """Group the crops by person, say how, and return the outliers."""
    from faceswap.faces.registry import make_encoder
    from faceswap.facesets.people import BY_LOOK, WITHOUT_ENCODER, group_people

    encoder = None if id_encoder is None else make_encoder(id_encoder, device=run.device)
    found = group_people(store, encoder, is_fresh=is_fresh, on_progress=run.console.on_progress)
    if found.method == BY_LOOK:
        run.console.note(WITHOUT_ENCODER)
    counts = Counter(found.clusters.values()).most_common()
    people = ", ".join(f"person{person}: {count}" for person, count in counts[:12])
    run.console.note(f"{len(counts)} people ({found.method}): {people}{' ...' if len(counts) > 12 else ''}")
    for file, reason in list(found.outliers.items())[:20]:
        run.console.note(f"perhaps somebody else: {file} ({reason})")
    return found.outliers
