"""Convert every clip of a folder with one model.

Clips that have an output are skipped, so the same command goes on where it stopped. A clip that fails is
named, and the next one is tried. Exit codes: 0 nothing failed, 4 some clips failed, 2 wrong arguments,
130/143 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceswap import SwapModel

WRITTEN = {".mp4", ".m4v", ".mov", ".mkv", ".ts"}
READ = WRITTEN | {".avi", ".webm", ".mpg", ".mpeg", ".m2ts", ".mts", ".mxf", ".wmv", ".flv", ".vob", ".3gp", ".ogv"}
INTERRUPTED = {130, 143}


def say(text: str) -> None:
    """Print for a person; names that are not valid Unicode are shown escaped."""
    print(text.encode(errors="backslashreplace").decode(), file=sys.stderr, flush=True)


def output_for(clip: Path, folder: Path) -> Path:
    """Same name; `.mkv` is appended when faceswap does not write that container."""
    return folder / (clip.name if clip.suffix.lower() in WRITTEN else clip.name + ".mkv")


def convert_one(clip: Path, model: SwapModel, output: Path) -> int:
    """Convert one clip and return its exit code; whatever goes wrong is printed, not raised."""
    from faceswap import FaceswapError, convert_clip  # here, so that --help stays quick

    try:
        report = convert_clip(clip, model, output)
    except FaceswapError as error:
        say(f"failed: {clip.name!r}: {error}")
        return getattr(error, "exit_code", 1)
    except Exception:  # a bug met by one clip must not cost the rest of the night
        say(f"failed: {clip.name!r}\n{traceback.format_exc()}")
        return 1
    say(f"ok: {clip.name!r}: {report.frames} frames, {report.faces} faces, {report.seconds:.1f} s")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder with clips (the folders in it are not read)")
    parser.add_argument("model", type=Path, help="model folder, as for `faceswap convert -m`")
    parser.add_argument("out", type=Path, help="folder for the outputs; made if missing")
    arguments = parser.parse_args()
    if not arguments.clips.is_dir():
        parser.error(f"no such folder: {str(arguments.clips)!r}")
    from faceswap import FaceswapError, SwapModel

    try:
        model = SwapModel.load(arguments.model)
    except FaceswapError as error:
        parser.error(str(error))
    arguments.out.mkdir(parents=True, exist_ok=True)

    if arguments.out.resolve() == arguments.clips.resolve():
        parser.error("OUT must not be CLIPS: every clip would look as if it were converted already")
    stopped = 0
    counts = {"ok": 0, "failed": 0, "skipped": 0}
    for clip in sorted(arguments.clips.iterdir()):
        if not clip.is_file() or clip.name.startswith(".") or clip.suffix.lower() not in READ:
            continue
        output = output_for(clip, arguments.out)
        if output.exists():
            counts["skipped"] += 1
            continue
        try:
            code = convert_one(clip, model, output)
        except KeyboardInterrupt:
            code = 130
        if code in INTERRUPTED:
            stopped = code
            say("interrupted; the same command goes on")
            break
        counts["failed" if code else "ok"] += 1

    print(", ".join(f"{number} {what}" for what, number in counts.items()))
    return stopped or (4 if counts["failed"] else 0)


if __name__ == "__main__":
    sys.exit(main())
