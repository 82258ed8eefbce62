"""A conversion as a process of its own, which tests kill; imported by the processes they start."""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from clips import astronaut_picture, gradient_picture, make_clip

SIZE = (120, 160)
CONTEXT: Any = multiprocessing.get_context("forkserver")
"""Processes start from one that has imported everything already."""
CONTEXT.set_forkserver_preload(["convert_job", "faceswap.convert.pipeline"])


def face_picture(frame: int) -> np.ndarray:
    return astronaut_picture(SIZE, 20 * np.sin(frame / 15))


def faces_between(start: int, stop: int) -> Any:
    """Return a `make_clip` picture function with a face in the frames [start, stop) only."""
    return lambda frame: face_picture(frame) if start <= frame < stop else gradient_picture(SIZE, frame)


def make_long_clip(path: Path, num_frames: int = 96) -> Path:
    """Write a clip of several (small) segments with sound."""
    return make_clip(path, size=SIZE, num_frames=num_frames, picture=face_picture, audio_tracks=1)


def use_small_segments(size: int = 16) -> None:
    """Let conversions in this process cut clips into segments of at most `size` frames."""
    from faceswap.convert import segments

    segments.MAX_FRAMES, segments._MIN_FRAMES = size, size // 2


HOLDS = {
    "before a journal line": ("faceswap.convert.work", "WorkFolder.add", "before"),
    "after a journal line": ("faceswap.convert.work", "WorkFolder.add", "after"),
    "while putting together": ("faceswap.media.assemble", "ClipMuxer._mux", "before"),
    "while signing": ("faceswap.provenance.manifest", "_Watched.readinto", "before"),
    "when signed": ("faceswap.convert.make", "sign_outputs", "after"),
    "before publishing": ("faceswap.convert.work", "WorkFolder.note_publishing", "after"),
    "between two names": ("faceswap.convert.outputs", "sync_folder", "after"),
    "before the end": ("faceswap.convert.work", "WorkFolder.delete", "before"),
}
"""Places where a conversion can be made to wait: module, function, before or after its call."""


def hold(place: str, count: int, output: Path) -> None:
    """Let conversions in this process wait at the `count`-th call at a place, until `release` is called."""
    module, name, when = HOLDS[place]
    *owners, function = name.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    real, calls = getattr(owner, function), itertools.count(1)

    def wait() -> None:
        output.with_suffix(".held").touch()
        while not output.with_suffix(".go").exists():
            time.sleep(0.005)

    def held(*args: Any, **kwargs: Any) -> Any:
        is_now = next(calls) == count
        if is_now and when == "before":
            wait()
        result = real(*args, **kwargs)
        if is_now and when == "after":
            wait()
        return result

    setattr(owner, function, held)


def wait_until_held(process: Any, output: Path) -> None:
    """Return when a conversion started with `hold` waits."""
    while not output.with_suffix(".held").exists():
        assert process.is_alive(), "ended before it had finished so many segments"
        time.sleep(0.005)
    output.with_suffix(".held").unlink()


def release(output: Path) -> None:
    """Let a conversion that waits go on."""
    output.with_suffix(".go").touch()


def convert_in_small_segments(
    clip: Path, model: Path, output: Path, settings: dict[str, Any], jobs: int, hold_at: tuple[str, int] | None
) -> None:
    """Body of the process: convert, or exit with the error's code."""
    import torch

    from faceswap.convert.config import ConvertConfig
    from faceswap.convert.pipeline import convert_clip
    from faceswap.errors import FaceswapError

    torch.set_num_threads(2)
    use_small_segments()
    if hold_at is not None:
        hold(*hold_at, output)
    overwrite = settings.pop("overwrite", True)
    try:
        config = ConvertConfig(**settings)
        convert_clip(clip, model, output, config=config, device="cpu", overwrite=overwrite, jobs=jobs)
    except FaceswapError as error:
        said_by(output).write_text(str(error))
        sys.exit(error.exit_code)


def said_by(output: Path) -> Path:
    """Return the file in which a conversion that failed leaves its message."""
    return output.with_suffix(".said")


def start(
    clip: Path,
    model: Path,
    output: Path,
    *,
    jobs: int = 1,
    hold: int | tuple[str, int] | None = None,
    **settings: Any,
) -> Any:
    """Start a conversion and return its process.

    Args:
        hold: it waits when so many segments are finished, or at the n-th call at a place (`HOLDS`).
    """
    hold_at = ("after a journal line", hold) if isinstance(hold, int) else hold
    arguments = (clip, model, output, settings, jobs, hold_at)
    process = CONTEXT.Process(target=convert_in_small_segments, args=arguments)
    process.start()
    return process
