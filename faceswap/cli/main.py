"""The `faceswap` command: finds the command, prints errors in one line, sets the exit code."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from faceswap import __version__
from faceswap.cli import (
    bench,
    consent,
    convert,
    demo,
    evaluate,
    export,
    extract,
    faceset,
    index,
    models,
    preview,
    provenance,
    recipes,
    shots,
    train,
    verify,
)
from faceswap.errors import ElsewhereError, FaceswapError

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


for module in (demo, extract, train, shots, preview, convert, evaluate, export, verify, bench):
    module.register(app)
app.add_typer(index.app, name="index")
app.add_typer(models.app, name="models")
app.add_typer(faceset.app, name="faceset")
app.add_typer(consent.app, name="consent")
app.add_typer(provenance.app, name="provenance")
app.add_typer(recipes.app, name="recipes")


def main() -> None:
    """Run the command line and exit with the documented code."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        code = app(standalone_mode=False)
    except ElsewhereError as error:
        sys.exit(error.exit_code)
    except FaceswapError as error:
        _fail(str(error), error.exit_code)
    except (typer.TyperException, typer.Abort) as error:
        _fail(_usage_message(error), 2)
    except _Terminated:
        _fail("terminated", 143)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except OSError as error:
        _fail(*_disk_message(error))
    except Exception as error:
        if _is_out_of_memory(error):
            _fail("out of memory; use smaller crops, a smaller batch or --device cpu", 6)
        _fail(f"unexpected {type(error).__name__}: {error} (run with -v for the trace, and please report it)", 1)
    if code == 130:
        _fail("interrupted", 130)
    sys.exit(code if isinstance(code, int) else 0)


class _Terminated(BaseException):
    """SIGTERM outside the work that has a safe point of its own."""


def _terminate(_number: int, _frame: object) -> None:
    raise _Terminated


def _usage_message(error: Exception) -> str:
    text = error.format_message() if isinstance(error, typer.TyperException) else ""
    return f"{text or 'aborted'} See `faceswap --help` and `faceswap COMMAND --help`."


def _disk_message(error: OSError) -> tuple[str, int]:
    """Return the words and the exit code for what the operating system refused; most places say it better themselves."""
    code = 6 if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE) else 1
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error} (run with -v for the trace)", code


def _is_out_of_memory(error: Exception) -> bool:
    """True for any library's way of saying so; by name and text, since torch and cv2 are not imported here."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in ("Insufficient memory", "can't allocate memory", "not enough memory"))


def _fail(message: str, code: int) -> NoReturn:
    if {"-v", "--verbose"} & set(sys.argv):
        traceback.print_exc()
    if "--json" in sys.argv:
        print(json.dumps({"event": "error", "message": message, "exit_code": code}), flush=True)
    rank = os.environ.get("RANK", "0")  # of several processes that train one model
    print(f"faceswap{f' (process {rank})' if rank != '0' else ''}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
