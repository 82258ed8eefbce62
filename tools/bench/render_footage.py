"""Footage for `render.py`: the demo's astronaut, enlarged, with grain as large as the picture's own pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.demo.actor import ASTRONAUT, render_clip
from faceswap.media.generate import write_clip

_DRAWN_HEIGHT = 480
_LOOP = 150
"""Frames that are drawn; longer clips play them to and fro."""
_RATE = 25
_REPEATED = 50
"""Frames that are encoded for a repeated clip."""
_GRAIN = 3.0
"""Code values."""


def write(path: Path, size: tuple[int, int], num_frames: int, *, share: float) -> Path:
    """Write a clip of a moving head, 25 frames a second, 4:2:0, x264 veryfast crf 16.

    Args:
        size: (h, w) px, even.
        share: part of the time that the head is on screen; for the rest an empty set is panned.
    """
    write_clip(path, _pictures(size, num_frames, share, min(_LOOP, num_frames)), rate=_RATE)
    return path


def write_in_groups(path: Path, size: tuple[int, int], num_frames: int, *, share: float) -> Path:
    """Write the same with a place to cut every second, as discs and broadcasts have it; x264 alone leaves ten seconds."""
    pictures = _pictures(size, num_frames, share, min(_LOOP, num_frames))
    parts: list[Path] = []
    while group := list(itertools.islice(pictures, _RATE)):
        parts.append(path.with_stem(f"{path.stem}-{len(parts)}"))
        write_clip(parts[-1], group, rate=_RATE)
    return _join(path, parts)


def write_repeated(path: Path, size: tuple[int, int], num_frames: int) -> Path:
    """Write a clip of a moving head that is long but quickly made: the packets of a short one, again and again.

    Args:
        size: (h, w) px, even.
        num_frames: at least; the clip ends with a whole repetition.
    """
    length = min(_REPEATED, num_frames)
    short = path.with_stem(f"{path.stem}-once")
    # To and fro once, so that it ends where it began.
    write_clip(short, _pictures(size, length, 1.0, length // 2 + 1), rate=_RATE)
    return _join(path, [short] * -(-num_frames // length))


def _join(path: Path, parts: list[Path]) -> Path:
    """Write the packets of clips of the same kind one after the other, and delete the clips."""
    shift = 0
    with av.open(str(path), "w") as target:
        copy = None
        for part in parts:
            with av.open(str(part)) as source:
                stream = source.streams.video[0]
                copy = copy or target.add_stream_from_template(stream)
                packets = [packet for packet in source.demux(stream) if packet.size]
                for packet in packets:
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                    target.mux_one(packet)
                shift += len(packets) * round(1 / (_RATE * stream.time_base))
    for part in set(parts):
        part.unlink()
    return path


def _pictures(size: tuple[int, int], num_frames: int, share: float, num_drawn: int) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    grain = [random.normal(0, _GRAIN, (*size, 1)).round().astype(np.int8) for _ in range(4)]
    width = round(_DRAWN_HEIGHT * size[1] / size[0] / 2) * 2
    drawn = list(render_clip(ASTRONAUT, num_frames=num_drawn, size=(_DRAWN_HEIGHT, width), seed=0))
    empty = _empty_set(size)
    period = max(1, 2 * len(drawn) - 2)
    # Two appearances in the clip, each half of the share.
    for index in range(num_frames):
        place = index / num_frames
        if place % 0.5 < share / 2:
            step = index % period
            picture = drawn[min(step, period - step) if step >= len(drawn) else step]
            large = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC)
        else:
            shift = 2 * (index % 100) if index // 100 % 2 == 0 else 2 * (100 - index % 100)
            large = empty[:, shift : shift + size[1]]
        noise = grain[index % 4]
        yield np.clip(large.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def _empty_set(size: tuple[int, int]) -> NDArray[np.uint8]:
    random = np.random.default_rng(1)
    coarse = random.random((9, 20, 3)).astype(np.float32)
    wide = cv2.resize(coarse, (size[1] + 200, size[0]), interpolation=cv2.INTER_CUBIC)
    return (np.clip(wide, 0, 1) * 180 + 30).astype(np.uint8)
