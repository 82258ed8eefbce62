"""Clips made for tests: any size, pixel format, times, rotation, audio, subtitles and chapters; nothing is downloaded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.filter
import cv2
import numpy as np

Picture = Callable[[int], np.ndarray]
"""Frame number -> (H, W, 3) uint8 RGB."""

_TICK = Fraction(1, 90_000)
_AUDIO_RATE = 48_000
_AUDIO_BLOCK = 1024
_MUXERS = {".mkv": "matroska", ".ts": "mpegts", ".m4v": "mp4"}
_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "16", "g": "8", "bf": "2"},
    "libx265": {"preset": "ultrafast", "crf": "16", "x265-params": "log-level=error:keyint=8:pools=1"},
}


def make_clip(
    path: Path,
    *,
    size: tuple[int, int] = (120, 160),
    num_frames: int = 12,
    rate: int | Fraction = 25,
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int | None = None,
    audio_tracks: int = 0,
    subtitles: bool = False,
    chapters: Sequence[tuple[float, float, str]] = (),
    metadata: Mapping[str, str] | None = None,
    pixel_aspect: Fraction | None = None,
    color_tags: tuple[int, int, int, int] | None = None,
    field_order: str | None = None,
    picture: Picture | None = None,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write a clip and return its path; the container follows the suffix.

    Args:
        size: (h, w) px.
        times: presentation time of each frame, ticks of `time_base` (1/90000 s if None); overrides `num_frames`.
        rotation: degrees counter-clockwise that a player turns the picture.
        audio_tracks: AAC tones as long as the picture, each of another pitch.
        subtitles: one text line in the middle; Matroska only.
        chapters: (start s, end s, title).
        color_tags: (primaries, transfer, matrix, range) as H.273 numbers.
        field_order: "tff" or "bff": the frames are flagged and encoded interlaced; see `woven`.
        picture: default: a gradient that moves by some pixels a frame.
        options: of the encoder, over the usual ones.
    """
    step = 1 / Fraction(rate)
    time_base = time_base or (step if times is None else _TICK)
    ticks = list(times) if times is not None else [round(i * step / time_base) for i in range(num_frames)]
    picture = picture or (lambda index: gradient_picture(size, index))
    muxer = _MUXERS.get(path.suffix.lower(), path.suffix[1:].lower())
    muxer_options = {"movflags": "use_metadata_tags"} if muxer in ("mp4", "mov") else {}
    with av.open(f"file:{path}", "w", format=muxer, options=muxer_options) as output:
        output.metadata.update(metadata or {})
        video = _add_video(output, codec, pix_fmt, size, Fraction(rate), time_base)
        video.codec_context.options = {**_OPTIONS.get(codec, {}), **(options or {})}
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            video.set_display_rotation(rotation)
        if color_tags is not None:
            _tag(video.codec_context, color_tags)
        if field_order is not None:
            video.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced DCT and motion estimation
            video.codec_context.field_order = {"tff": 2, "bff": 3}[field_order]
        flagged = _field_flagger(field_order, size, pix_fmt)
        tones = [_add_audio(output) for _ in range(audio_tracks)]
        subtitle = _copy_subtitles(path, output) if subtitles else []
        if chapters:
            output.set_chapters([_chapter(i, *chapter) for i, chapter in enumerate(chapters)])
        for index, (pts, duration) in enumerate(zip(ticks, _durations(ticks, step, time_base), strict=True)):
            frame = flagged(_encoder_frame(picture(index), pix_fmt, color_tags))
            frame.pts, frame.time_base, frame.duration = pts, time_base, duration
            output.mux(video.encode(frame))
        for packet in subtitle:
            output.mux_one(packet)
        seconds = float((ticks[-1] - ticks[0]) * time_base + step)
        for number, tone in enumerate(tones):
            _encode_tone(output, tone, 440 + 220 * number, seconds)
        output.mux(video.encode(None))
    return path


def woven(picture: Picture, field_order: str) -> Picture:
    """Return interlaced frames: the fields of frame n are lines of the pictures 2n and 2n + 1 of a full-rate clip."""

    def frame(index: int) -> np.ndarray:
        early, late = picture(2 * index), picture(2 * index + 1)
        upper, lower = (early, late) if field_order == "tff" else (late, early)
        result = upper.copy()
        result[1::2] = lower[1::2]
        return result

    return frame


def gradient_picture(size: tuple[int, int], shift: int) -> np.ndarray:
    """Return a smooth (H, W, 3) uint8 RGB picture that differs for every `shift`."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    red = 128 + 100 * np.sin((x + 5 * shift) / 23)
    green = 128 + 100 * np.cos((y + 3 * shift) / 17)
    blue = 40 + 170 * (x + y) / sum(size)
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def astronaut_picture(size: tuple[int, int], shift: float = 0.0) -> np.ndarray:
    """Return (H, W, 3) uint8 RGB with one face that detectors find, moved right by `shift` px.

    The face's box is about a third of the picture's height; at least 120 px of height are needed.
    """
    height, width = size
    scale = height / 320  # 320 lines of the photograph fill the height
    matrix = np.array([[scale, 0, width / 2 - 224 * scale + shift], [0, scale, 0]])
    return cv2.warpAffine(_astronaut(), matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def truncated(path: Path, keep: float, name: str = "cut") -> Path:
    """Return a copy of a file beside it that holds only the first part of its bytes."""
    data = path.read_bytes()
    short = path.with_name(f"{name}{path.suffix}")
    short.write_bytes(data[: round(len(data) * keep)])
    return short


@cache
def _astronaut() -> np.ndarray:
    from skimage.data import astronaut

    return astronaut()


def _add_video(
    output: Any, codec: str, pix_fmt: str, size: tuple[int, int], rate: Fraction, time_base: Fraction
) -> Any:
    video = output.add_stream(codec, rate=rate)
    context = video.codec_context
    context.height, context.width = size
    context.pix_fmt = pix_fmt
    video.time_base = context.time_base = time_base
    context.flags |= 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: durations reach the container
    context.thread_count = 1
    return video


def _durations(ticks: Sequence[int], step: Fraction, time_base: Fraction) -> list[int]:
    return [later - sooner for sooner, later in itertools.pairwise(ticks)] + [max(1, round(step / time_base))]


def _field_flagger(field_order: str | None, size: tuple[int, int], pix_fmt: str) -> Callable[[Any], Any]:
    if field_order is None:
        return lambda frame: frame
    graph = av.filter.Graph()
    chain = [
        graph.add_buffer(width=size[1], height=size[0], format=pix_fmt, time_base=_TICK),
        graph.add("setfield", field_order),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()

    def flagged(frame: Any) -> Any:
        graph.push(frame)
        return graph.pull()

    return flagged


def _encoder_frame(rgb: np.ndarray, pix_fmt: str, tags: tuple[int, int, int, int] | None) -> Any:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format=pix_fmt)
    if tags is not None:
        _tag(frame, tags)
    return frame


def _tag(target: Any, tags: tuple[int, int, int, int]) -> None:
    target.color_primaries, target.color_trc, target.colorspace, target.color_range = tags


def _add_audio(output: Any) -> Any:
    return output.add_stream("aac", rate=_AUDIO_RATE, layout="mono")


def _encode_tone(output: Any, stream: Any, pitch: float, seconds: float) -> None:
    for start in range(0, round(seconds * _AUDIO_RATE), _AUDIO_BLOCK):
        phase = np.arange(start, start + _AUDIO_BLOCK) * (2 * np.pi * pitch / _AUDIO_RATE)
        samples = (0.2 * np.sin(phase)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE, start, Fraction(1, _AUDIO_RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _copy_subtitles(path: Path, output: Any) -> list[Any]:
    text = path.with_suffix(".srt")
    text.write_text("1\n00:00:00,080 --> 00:00:00,240\nMake it so.\n", encoding="utf-8")
    with av.open(f"file:{text}") as source:
        stream = source.streams[0]
        copy = output.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
    for packet in packets:
        packet.stream = copy
    text.unlink()
    return packets


def _chapter(number: int, start: float, end: float, title: str) -> dict[str, Any]:
    return {
        "id": number + 1,
        "start": round(start * 1000),
        "end": round(end * 1000),
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }
