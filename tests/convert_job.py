"""A conversion as a process of its own, which tests kill; imported by the processes they start."""

from __future__ import annotations

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


def hold_after(count: int, output: Path) -> None:
    """Let conversions in this process wait when `count` segments are in the journal, until `release` is called."""
    from faceswap.convert.work import SegmentRecord, WorkFolder

    add, added = WorkFolder.add, []

    def add_and_hold(work: WorkFolder, record: SegmentRecord) -> None:
        add(work, record)
        added.append(record)
        if len(added) == count:
            output.with_suffix(".held").touch()
            while not output.with_suffix(".go").exists():
                time.sleep(0.005)

    WorkFolder.add = add_and_hold  # type: ignore[method-assign]


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
    clip: Path, model: Path, output: Path, settings: dict[str, Any], jobs: int, hold: int | None
) -> None:
    """Body of the process: convert, or exit with the error's code."""
    import torch

    from faceswap.convert.config import ConvertConfig
    from faceswap.convert.pipeline import convert_clip
    from faceswap.errors import FaceswapError

    torch.set_num_threads(2)
    use_small_segments()
    if hold is not None:
        hold_after(hold, output)
    try:
        convert_clip(clip, model, output, config=ConvertConfig(**settings), device="cpu", overwrite=True, jobs=jobs)
    except FaceswapError as error:
        said_by(output).write_text(str(error))
        sys.exit(error.exit_code)


def said_by(output: Path) -> Path:
    """Return the file in which a conversion that failed leaves its message."""
    return output.with_suffix(".said")


def start(clip: Path, model: Path, output: Path, *, jobs: int = 1, hold: int | None = None, **settings: Any) -> Any:
    """Start a conversion and return its process.

    Args:
        hold: it waits when so many segments are finished.
    """
    arguments = (clip, model, output, settings, jobs, hold)
    process = CONTEXT.Process(target=convert_in_small_segments, args=arguments)
    process.start()
    return process
