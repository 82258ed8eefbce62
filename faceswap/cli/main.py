"""The `faceswap` command: finds the command, prints errors in one line, sets the exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Annotated

import typer

from faceswap import __version__
from faceswap.cli import bench, convert, demo, extract, recipes, train, verify
from faceswap.errors import FaceswapError

app = typer.Typer(
    name="faceswap",
    help="Re-face or de-age an actor in real footage. "
    "The source is the person whose face will appear; the target is the footage that receives it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples:\n\nfaceswap demo\n\nfaceswap convert input.mp4 -m model",
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"faceswap {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


for module in (demo, extract, train, convert, verify, bench):
    module.register(app)
app.add_typer(recipes.app, name="recipes")


def main() -> None:
    """Run the command line and exit with the documented code."""
    try:
        app()
    except FaceswapError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except MemoryError:
        _fail("out of memory; use smaller crops, a smaller batch or --device cpu", 6)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has gone
        sys.exit(141)
    except Exception as error:
        _fail(f"unexpected {type(error).__name__}: {error} (run with -v for the trace, and please report it)", 1)


def _fail(message: str, code: int) -> None:
    if {"-v", "--verbose"} & set(sys.argv):
        traceback.print_exc()
    if "--json" in sys.argv:
        print(json.dumps({"event": "error", "message": message, "exit_code": code}), flush=True)
    print(f"faceswap: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
