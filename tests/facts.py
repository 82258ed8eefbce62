"""What is in a media file, read with nothing but PyAV: the yardstick for what conversions keep."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

_AUDIO_SLACK_SECONDS = 0.07
"""A little more than one packet."""


@dataclass(frozen=True)
class Track:
    """A stream that is copied."""

    kind: str
    codec: str | None
    language: str
    num_packets: int
    start: float
    end: float
    """Seconds"""


@dataclass(frozen=True)
class Facts:
    """A file's picture and what accompanies it."""

    times: list[Fraction]
    """Presentation time (s) of each decoded frame, as the decoder gives it."""
    size: tuple[int, int]
    pixel_aspect: Fraction
    matrix: tuple[int, ...] | None
    bits: int
    pix_fmt: str
    tags: tuple[int, int, int, int]
    """Primaries, transfer, matrix, range."""
    tracks: list[Track]
    """Audio and subtitles."""
    num_video_streams: int
    chapters: list[tuple[float, float, str]]


def facts_of(path: Path, video_stream: int = 0) -> Facts:
    """Return the facts of a file; `video_stream` counts all of its video streams from 0."""
    with av.open(f"file:{path.absolute()}") as container:
        stream = container.streams.video[video_stream]
        stream.thread_type = "AUTO"
        frames = list(_frames(container, stream))
        first, context = frames[0], stream.codec_context
        tags = zip(
            (first.color_primaries, first.color_trc, first.colorspace, first.color_range),
            (context.color_primaries, context.color_trc, context.colorspace, context.color_range),
            (2, 2, 2, 0),
            strict=True,
        )
        *rest, code_range = (int(s if f == unknown else f) for f, s, unknown in tags)
        return Facts(
            times=[frame.pts * frame.time_base for frame in frames if frame.pts is not None],
            size=(first.height, first.width),
            pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
            matrix=_matrix(first),
            bits=first.format.components[0].bits,
            pix_fmt=first.format.name,
            tags=(rest[0], rest[1], rest[2], code_range or 1),  # untagged means studio range
            tracks=_tracks(path),
            num_video_streams=len(container.streams.video),
            chapters=[
                (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"].get("title", ""))
                for c in container.chapters()
            ],
        )


def assert_same_surroundings(before: Facts, after: Facts, *, dropped: int = 0) -> None:
    """Check size, pixel aspect, orientation, depth, tags, chapters, audio and subtitles; times are the caller's."""
    for name in ("size", "pixel_aspect", "matrix", "bits", "tags"):
        assert getattr(after, name) == getattr(before, name), name
    assert [title for *_, title in after.chapters] == [title for *_, title in before.chapters]
    for old, new in zip(before.chapters, after.chapters, strict=True):
        np.testing.assert_allclose(new[:2], old[:2], atol=0.002)
    tracks = [track for track in before.tracks if track.num_packets]
    assert len(after.tracks) == len(tracks) - dropped
    for wanted, got in zip(tracks, after.tracks, strict=not dropped):
        assert (got.kind, got.codec, got.language) == (wanted.kind, wanted.codec, wanted.language)
        assert abs(got.num_packets - wanted.num_packets) <= 1
        np.testing.assert_allclose((got.start, got.end), (wanted.start, wanted.end), atol=_AUDIO_SLACK_SECONDS)


def assert_same_times(before: list[Fraction], after: list[Fraction]) -> None:
    """Check that two lists of times (s) are equally long and nowhere more than 1 ms apart."""
    assert len(after) == len(before)
    assert max(abs(float(a - b)) for a, b in zip(before, after, strict=True)) <= 0.001


def _frames(container: Any, stream: Any) -> Any:
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue
    except av.FFmpegError:
        return


def _matrix(frame: Any) -> tuple[int, ...] | None:
    for data in list(frame.side_data.keys()):
        if data.type.name == "DISPLAYMATRIX":
            linear = np.frombuffer(bytes(data), "<i4")[[0, 1, 3, 4]]
            return None if (linear == [65536, 0, 0, 65536]).all() else tuple(linear.tolist())
    return None


def _tracks(path: Path) -> list[Track]:
    with av.open(f"file:{path.absolute()}") as container:
        streams = [s for s in container.streams if s.type in ("audio", "subtitle")]
        spans: dict[int, list[tuple[float, float]]] = {s.index: [] for s in streams}
        try:
            for packet in container.demux(streams) if streams else ():
                if packet.size and packet.pts is not None:
                    start = float(packet.pts * packet.time_base)
                    spans[packet.stream_index].append((start, start + float((packet.duration or 0) * packet.time_base)))
        except av.FFmpegError:
            pass  # damaged on purpose
        return [
            Track(
                s.type,
                getattr(s.codec_context, "name", None),
                s.language or "und",
                len(spans[s.index]),
                min((start for start, _ in spans[s.index]), default=0.0),
                max((end for _, end in spans[s.index]), default=0.0),
            )
            for s in streams
        ]
