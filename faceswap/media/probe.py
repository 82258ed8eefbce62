"""What a clip is, before a frame of it is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.hdr import DynamicRange, lost_metadata, read_dynamic_range
from faceswap.media.layouts import layout_of, planar_name
from faceswap.types import ColorInfo, PlaneLayout

_MAX_PIXELS = 16384 * 16384
_MIN_SIDE = 16
_HD_WIDTH, _SD_HEIGHT = 1280, 576
_CENTER_SITED = {"mjpeg", "mpeg1video"}

# AVCOL_SPC_* (ITU-T H.273 matrix coefficients).
_MATRICES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
_UNSPECIFIED, _FULL_RANGE = 2, 2


@dataclass(frozen=True, slots=True)
class ColorTags:
    """The raw H.273 numbers of the stream, carried to the output unchanged; 2 = unspecified."""

    primaries: int
    transfer: int
    matrix: int
    range: int
    """0 = unspecified, 1 = studio, 2 = full."""


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """Facts about a clip (or a folder of pictures)."""

    path: Path
    container: str
    """FFmpeg's name of the format: "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "pictures" ..."""
    codec: str
    stream_index: int
    size: tuple[int, int]
    """(h, w) px as stored, before rotation."""
    time_base: Fraction
    rate: Fraction
    """Average frames per second; a guess for variable rates."""
    num_frames: int | None
    """As far as the container says; only a hint for progress."""
    layout: PlaneLayout
    color: ColorInfo
    tags: ColorTags
    pixel_aspect: Fraction | None
    display_matrix: tuple[int, ...] | None = None
    """FFmpeg's nine display-matrix numbers; None = upright."""
    light: DynamicRange | None = None
    """Static HDR metadata (HDR10); None = the clip has none."""
    notes: tuple[str, ...] = field(default=())
    """Things taken for granted that the user should know."""

    @property
    def upright_from_stored(self) -> np.ndarray | None:
        """(2, 2) integer linear part of the display transform, y down; None = upright."""
        if self.display_matrix is None:
            return None
        a, b, _, c, d = self.display_matrix[:5]
        linear = np.array([[a, c], [b, d]], dtype=np.float64) / 65536
        turn = np.rint(linear / max(np.abs(linear).max(), 1e-9))
        is_right_angle = abs(round(np.linalg.det(turn))) == 1 and np.abs(turn).sum() == 2
        return None if not is_right_angle or np.array_equal(turn, np.eye(2)) else turn


def open_input(path: Path) -> Any:
    """Open a media file for reading; local files only, whatever the name looks like.

    Raises:
        UsageError: no such file. UnsupportedInputError: empty or not media.
    """
    if not path.is_file():
        kind = "is a folder, not a clip" if path.is_dir() else "does not exist"
        raise UsageError(f"{path} {kind}; give the path of a video file")
    if path.stat().st_size == 0:
        raise UnsupportedInputError(f"{path} is empty (0 bytes); copy or download it again")
    try:
        # `file:` keeps names like `concat:x` or `-x` from meaning anything; the whitelist keeps playlists local.
        return av.open(f"file:{path.absolute()}", options={"protocol_whitelist": "file,crypto,data"})
    except (av.FFmpegError, ValueError) as error:
        raise UnsupportedInputError(f"{path} cannot be opened as video ({_reason(error)}); is it complete?") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def pick_video_stream(container: Any, path: Path) -> Any:
    """Return the stream that probing and decoding agree on: FFmpeg's best, never a cover picture."""
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        raise UnsupportedInputError(f"{path} has no video stream")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


def count_streams(path: Path) -> dict[str, int]:
    """Return how many streams of each kind ("video", "audio", "subtitle", "data", "attachment") a file holds."""
    with open_input(path) as container:
        return dict(Counter(stream.type for stream in container.streams))


def probe(path: Path) -> ClipInfo:
    """Return the facts of a clip; decodes one frame, since headers lie about formats and matrices.

    Raises:
        UsageError, UnsupportedInputError: with the reason in one line.
    """
    with open_input(path) as container:
        stream = pick_video_stream(container, path)
        codec = getattr(stream.codec_context, "name", None)
        if codec is None:
            raise UnsupportedInputError(f"{path}: its video codec is unknown to this FFmpeg")
        frame = _first_frame(container, stream, path)
        return _clip_info(path, container, stream, frame)


def _first_frame(container: Any, stream: Any, path: Path) -> Any:
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                continue
            if frames:
                return frames[0]
    except av.FFmpegError as error:
        raise UnsupportedInputError(f"{path}: no frame can be decoded ({_reason(error)})") from error
    raise UnsupportedInputError(f"{path}: no frame can be decoded; it is empty, damaged or encrypted")


def _clip_info(path: Path, container: Any, stream: Any, frame: Any) -> ClipInfo:
    height, width = frame.height, frame.width
    if min(height, width) < _MIN_SIDE or height * width > _MAX_PIXELS:
        raise UnsupportedInputError(
            f"{path}: a picture of {width}x{height} px cannot be worked on; allowed: {_MIN_SIDE} px to 16384x16384"
        )
    layout, bits = layout_of(planar_name(frame.format.name))
    tags = ColorTags(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range))
    color, notes = _color_info(tags, frame, layout, bits, stream.codec_context.name)
    if frame.interlaced_frame:
        notes.append(
            "the clip is interlaced; the output has the same lines but is flagged progressive: deinterlace it first"
        )
    notes += [f"{what} is not carried to the output" for what in lost_metadata(frame)]
    return ClipInfo(
        path=path,
        container=container.format.name,
        codec=stream.codec_context.name,
        stream_index=stream.index,
        size=(height, width),
        time_base=stream.time_base,
        rate=stream.average_rate or stream.guessed_rate or Fraction(25),
        num_frames=_frame_count_hint(container, stream),
        layout=layout,
        color=color,
        tags=tags,
        pixel_aspect=stream.sample_aspect_ratio or None,
        display_matrix=_display_matrix(frame),
        light=read_dynamic_range(frame),
        notes=tuple(notes),
    )


def _frame_count_hint(container: Any, stream: Any) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if container.duration and stream.average_rate:
        return round(container.duration / av.time_base * float(stream.average_rate))
    return None


def _color_info(tags: ColorTags, frame: Any, layout: PlaneLayout, bits: int, codec: str) -> tuple[ColorInfo, list[str]]:
    full = tags.range == _FULL_RANGE or frame.format.name.startswith("yuvj")
    siting = "center" if codec in _CENTER_SITED else "left"
    if layout.is_rgb:
        return ColorInfo(matrix="rgb", full_range=True, bit_depth=bits), []
    matrix = _MATRICES.get(tags.matrix)
    if matrix in (None, "rgb"):
        is_hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
        guess = "bt709" if is_hd else "bt601"
        said = (
            "does not say its YUV matrix"
            if tags.matrix == _UNSPECIFIED
            else f"has the YUV matrix {tags.matrix} (H.273)"
        )
        notes = [f"the clip {said}; {guess} is taken, as is usual for {frame.width}x{frame.height}"]
        return ColorInfo(guess, full, bits, siting, is_guessed=True), notes
    return ColorInfo(matrix, full, bits, siting), []


def _side_data(frame: Any) -> list[Any]:
    return list(frame.side_data.keys())


def _side_data_name(data: Any) -> str:
    return getattr(data.type, "name", str(data.type))


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    for data in _side_data(frame):
        if _side_data_name(data) == "DISPLAYMATRIX":
            return tuple(int(v) for v in np.frombuffer(bytes(data), dtype="<i4")[:9])
    return None
