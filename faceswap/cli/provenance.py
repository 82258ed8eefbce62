"""`faceswap provenance`: manifests beyond what `convert` does by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.mark_options import SigningOptions

app = typer.Typer(help="Signed manifests (C2PA) of files that went on after a conversion.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `attach` a subcommand, though it is the only one."""


@command(
    app,
    examples(
        "faceswap provenance attach graded.mp4 --parent swapped.mp4",
        "faceswap provenance attach graded.mov --parent swapped.mov --c2pa-cert studio.pem --c2pa-key studio.key",
    ),
)
def attach(
    run: Run,
    *,
    file: Annotated[Path, typer.Argument(help="What came back from an editing suite; its pictures stay as they are.")],
    parent: Annotated[Path, typer.Option(help="The output of faceswap that it was made of.")],
    signing: SigningOptions,
) -> None:
    """Sign an edited file anew, with the output that it was made of as its parent."""
    from faceswap.provenance.attach import attach as attach_to

    done = attach_to(file, parent, signing.wish)
    for text in done.notes:
        run.console.note(f"note: {text}")
    run.console.result(f"{done.path}: signed; the manifest is in {done.manifest}; see: faceswap verify {done.path}")
