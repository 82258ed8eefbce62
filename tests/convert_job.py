"""A conversion as a process of its own, which tests kill; imported by the processes they start."""

from __future__ import annotations

import multiprocessing
import sys
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


def convert_in_small_segments(clip: Path, model: Path, output: Path, settings: dict[str, Any], jobs: int = 1) -> None:
    """Body of the process: convert, or exit with the error's code."""
    import torch

    from faceswap.convert.config import ConvertConfig
    from faceswap.convert.pipeline import convert_clip
    from faceswap.errors import FaceswapError

    torch.set_num_threads(2)
    use_small_segments()
    try:
        convert_clip(clip, model, output, config=ConvertConfig(**settings), device="cpu", overwrite=True, jobs=jobs)
    except FaceswapError as error:
        said_by(output).write_text(str(error))
        sys.exit(error.exit_code)


def said_by(output: Path) -> Path:
    """Return the file in which a conversion that failed leaves its message."""
    return output.with_suffix(".said")


def start(clip: Path, model: Path, output: Path, jobs: int = 1, **settings: Any) -> Any:
    """Start a conversion and return its process."""
    process = CONTEXT.Process(target=convert_in_small_segments, args=(clip, model, output, settings, jobs))
    process.start()
    return process
