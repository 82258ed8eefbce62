"""Clips with something odd about them: made with PyAV, some with bytes changed afterwards; nothing is downloaded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import gradient_picture, make_clip, truncated

SIZE = (96, 128)
NUM_FRAMES = 16
_STEP = 3600
"""Ticks of 1/90000 s: 25 frames a second."""
NAMES = [
    "-dash.mp4",
    'it\'s "quoted" $(touch X)`;.mp4',
    "new\nline.mp4",
    "%d%04d.mp4",
    "ünïcödé 顔 🎭.mp4",
    "concat:a|b.mp4",
    "y" * 246 + ".mp4",
]


def plain(path: Path, **over: Any) -> Path:
    """Write an ordinary small clip; what `make_clip` takes may be given."""
    return make_clip(path, **{"size": SIZE, "num_frames": NUM_FRAMES, **over})


def variable_rate(path: Path) -> Path:
    """Half of the frames 40 ms apart, half 120 ms."""
    half = NUM_FRAMES // 2
    times = [i * _STEP for i in range(half)] + [(half + 3 * i) * _STEP for i in range(half)]
    return plain(path, times=times, audio_tracks=1)


def two_second_gap(path: Path) -> Path:
    """A hole in the time line of the picture, none in the sound."""
    half = NUM_FRAMES // 2
    return plain(path, times=[(i + (50 if i >= half else 0)) * _STEP for i in range(NUM_FRAMES)], audio_tracks=1)


def late_start(path: Path) -> Path:
    """The picture starts a second after the sound."""
    return plain(path, times=[90_000 + i * _STEP for i in range(NUM_FRAMES)], audio_tracks=1)


def cut_head(path: Path, num_hidden: int) -> Path:
    """An MP4 whose edit list hides the first frames."""
    plain(path, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 4 + 4 + 4  # version and flags, number of entries
    with av.open(str(path)) as container:
        step = round(Fraction(1, 25) / container.streams.video[0].time_base)
    start = int.from_bytes(data[place + 4 : place + 8], "big") + num_hidden * step
    data[place + 4 : place + 8] = start.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def several_streams(path: Path) -> Path:
    """Two video streams (the second is larger), two audio streams with languages."""
    first = plain(path.with_name("first.mp4"), audio_tracks=2)
    second = plain(path.with_name("second.mp4"), size=(144, 192))
    with av.open(str(first)) as small, av.open(str(second)) as large, av.open(str(path), "w") as output:
        packets = []
        for source, streams in ((small, small.streams), (large, large.streams.video)):
            copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
            for packet in source.demux(list(streams)):
                if packet.size:
                    packets.append((float(packet.dts * packet.time_base), copies[packet.stream_index], packet))
        for stream, language in zip(output.streams.audio, ("eng", "deu"), strict=True):
            stream.metadata["language"] = language
        for _, copy, packet in sorted(packets, key=lambda entry: entry[0]):
            packet.stream = copy
            output.mux_one(packet)
    first.unlink()
    second.unlink()
    return path


def audio_only(path: Path) -> Path:
    """Sound without a picture."""
    with_picture = plain(path.with_name("both.mkv"), audio_tracks=1)
    _remux(with_picture, path, kinds=("audio",))
    with_picture.unlink()
    return path


def zero_frames(path: Path) -> Path:
    """A header that announces a picture, and nothing else."""
    whole = plain(path.with_name("whole.mp4"))
    _remux(whole, path, {"movflags": "empty_moov+frag_keyframe"}, max_packets=0)
    whole.unlink()
    return path


def fragmented(path: Path) -> Path:
    """An MP4 in fragments, without a table of frames."""
    whole = plain(path.with_name("whole.mp4"), audio_tracks=1)
    _remux(whole, path, {"movflags": "empty_moov+frag_keyframe"})
    whole.unlink()
    return path


def index_first(path: Path, **over: Any) -> Path:
    """An MP4 whose table of frames comes before the frames."""
    whole = plain(path.with_name("whole.mp4"), audio_tracks=1, **over)
    _remux(whole, path, {"movflags": "faststart"})
    whole.unlink()
    return path


def joined(path: Path, sizes: Sequence[tuple[int, int]]) -> Path:
    """Transport streams of the given picture sizes written one behind the other; each starts at the same time."""
    parts = [plain(path.with_name(f"part{i}.ts"), size=size) for i, size in enumerate(sizes)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return path


def doubled_times(path: Path) -> Path:
    """An MP4 in which a frame has the time of the frame before it."""
    times = [i * _STEP for i in range(NUM_FRAMES)]
    times[8:] = [t + 7 for t in times[8:]]  # a step of its own in the table of durations
    plain(path, times=times, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    place = data.index(b"stts") + 4 + 4 + 4
    assert int.from_bytes(data[place + 12 : place + 16], "big") == _STEP + 7
    data[place + 12 : place + 16] = bytes(4)
    path.write_bytes(data)
    return path


def mirrored(path: Path) -> Path:
    """Turned by a quarter and mirrored by its display matrix."""
    plain(path, rotation=90)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"tkhd") + 4 + 40
    matrix = [int.from_bytes(data[place + 4 * i : place + 4 * i + 4], "big", signed=True) for i in range(9)]
    matrix[3] = -matrix[3]
    data[place : place + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)
    return path


def with_alpha(path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> Path:
    """A clip whose alpha rises from left to right."""
    alpha = np.broadcast_to(np.linspace(40, 220, SIZE[1]).astype(np.uint8), SIZE)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = SIZE
        stream.pix_fmt = pix_fmt
        for i in range(NUM_FRAMES):
            rgba = np.dstack([gradient_picture(SIZE, i), alpha])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba), format="rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def flipped(whole: Path, seed: int) -> Path:
    """A copy of a file with 1, 4 or 64 bits flipped."""
    random_numbers = random.Random(seed)
    data = bytearray(whole.read_bytes())
    for _ in range(random_numbers.choice((1, 4, 64))):
        data[random_numbers.randrange(len(data))] ^= 1 << random_numbers.randrange(8)
    path = whole.with_name(f"flip{seed:02d}{whole.suffix}")
    path.write_bytes(data)
    return path


def cut_off(whole: Path) -> Iterator[Path]:
    """Yield copies of a file that end after 10, 50, 90 and 99 % of it."""
    for percent in (10, 50, 90, 99):
        yield truncated(whole, percent / 100, f"cut{percent}")


def _remux(
    source: Path,
    path: Path,
    options: dict[str, str] | None = None,
    *,
    kinds: Sequence[str] = ("video", "audio"),
    max_packets: int | None = None,
) -> None:
    with av.open(str(source)) as before, av.open(str(path), "w", options=options or {}) as after:
        streams = [s for s in before.streams if s.type in kinds]
        copies = {stream.index: after.add_stream_from_template(stream) for stream in streams}
        after.start_encoding()
        packets = [packet for packet in before.demux(streams) if packet.size]
        for packet in packets[:max_packets]:
            packet.stream = copies[packet.stream_index]
            after.mux_one(packet)
