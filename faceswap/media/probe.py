"""What a clip is, before a frame of it is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.media.clip_color import ColorTags, color_info, color_tags
from faceswap.media.decoders import FirstLook, first_look, measured_rate
from faceswap.media.display import checked_matrix, right_angle_turn
from faceswap.media.h273 import FULL_RANGE
from faceswap.media.hdr import DynamicRange, lost_metadata, read_dynamic_range
from faceswap.media.interlace import field_order_of
from faceswap.media.layouts import is_gray, layout_of, planar_name
from faceswap.media.side_data import side_data_of
from faceswap.types import ColorInfo, FieldOrder, PlaneLayout

_MAX_PIXELS = 16384 * 16384
_MIN_SIDE = 16
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"<SmoothStreamingMedia", b"v=0")
"""How lists of other files begin (HLS, concat, DASH, IMF, Smooth Streaming, SDP)."""
_PLAYLIST_BYTES = 256
_CHAPTER_TRACK_CODECS = {"text", "bin_data"}
_MAX_SANE_RATE = 240
"""Frames per second; above it the header is checked against the times of the packets."""


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
    field_order: FieldOrder | None = None
    """Interlaced: which field is shown first; None = progressive. Mixed clips go by their first frame."""
    light: DynamicRange | None = None
    """Static HDR metadata (HDR10); None = the clip has none."""
    notes: tuple[str, ...] = field(default=())
    """Things taken for granted that the user should know."""
    profile: str | None = None
    """Of the codec, in FFmpeg's words, e.g. "High"; None = not said."""
    level: int | None = None
    """Of the codec, as its standard counts (H.264: 31 = 3.1); None = not said."""
    video_stream: int = 0
    """Number among the file's real video streams (no cover pictures), from 0: the one that is read."""
    num_promised: int | None = None
    """Frames that the container's own table lists; None = it has no such table."""

    @property
    def upright_from_stored(self) -> np.ndarray | None:
        """(2, 2) integer linear part of the display transform, y down; None = upright."""
        if self.display_matrix is None:
            return None
        return right_angle_turn(self.display_matrix)


def open_input(path: Path, hwaccel: Any = None) -> Any:
    """Open a media file for reading; local files only, whatever the name looks like.

    Args:
        hwaccel: `av.codec.hwaccel.HWAccel` that decodes; None = the CPU.

    Raises:
        UsageError: no such file. UnsupportedInputError: empty or not media.
    """
    if not path.is_file():
        kind = "is a folder, not a clip" if path.is_dir() else "does not exist"
        raise UsageError(f"{path} {kind}; give the path of a video file")
    if path.stat().st_size == 0:
        raise UnsupportedInputError(f"{path} is empty (0 bytes); copy or download it again")
    _refuse_playlist(path)
    try:
        # `file:` keeps names like `concat:x` or `-x` from meaning anything; the whitelist keeps playlists local.
        options = {"protocol_whitelist": "file,crypto,data"}
        return av.open(f"file:{path.absolute()}", options=options, hwaccel=hwaccel)
    except (av.FFmpegError, ValueError) as error:
        raise UnsupportedInputError(f"{path} cannot be opened as video ({_reason(error)}); is it complete?") from error


def _refuse_playlist(path: Path) -> None:
    """Raise UnsupportedInputError for files that only name other files: FFmpeg would open whatever they name."""
    with path.open("rb") as file:
        head = file.read(_PLAYLIST_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(_PLAYLISTS):
        raise UnsupportedInputError(f"{path} is a playlist, not a clip; give the clip that it names")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def video_streams(container: Any) -> list[Any]:
    """Return the real video streams of an input: no cover pictures, none without a size where others have one."""
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    return [s for s in streams if getattr(s.codec_context, "width", 0)] or streams


def pick_video_stream(container: Any, path: Path, number: int | None = None) -> Any:
    """Return the stream that probing, decoding, copying and checking agree on.

    Args:
        number: among the real video streams, from 0; None = FFmpeg's best.

    Raises:
        UnsupportedInputError: no video stream. UsageError: no such number.
    """
    streams = video_streams(container)
    if not streams:
        raise UnsupportedInputError(f"{path} has no video stream")
    if number is None:
        best = container.streams.best("video")
        return best if best in streams else streams[0]
    if not 0 <= number < len(streams):
        raise UsageError(f"{path} has no video stream {number}; give a number from 0 to {len(streams) - 1}")
    return streams[number]


def count_streams(path: Path) -> dict[str, int]:
    """Return how many streams of each kind ("video", "audio", "subtitle", "data", "attachment") a file holds.

    MP4's text track of chapters is none of them: muxers make it from the list of chapters.
    """
    with open_input(path) as container:
        has_chapters = bool(container.chapters())
        return dict(Counter(s.type for s in container.streams if not (has_chapters and is_chapter_track(s))))


def is_chapter_track(stream: Any) -> bool:
    """True for the kind of stream in which MP4 keeps chapters."""
    codec = getattr(stream.codec_context, "name", None) or "bin_data"
    return stream.type == "data" and codec in _CHAPTER_TRACK_CODECS


def probe(path: Path, video_stream: int | None = None) -> ClipInfo:
    """Return the facts of a clip; decodes one frame, since headers lie about formats and matrices.

    Args:
        video_stream: number among the real video streams, from 0; None = FFmpeg's best.

    Raises:
        UsageError, UnsupportedInputError: with the reason in one line.
    """
    with open_input(path) as container:
        stream = pick_video_stream(container, path, video_stream)
        if getattr(stream.codec_context, "name", None) is None:
            raise UnsupportedInputError(f"{path}: its video codec is unknown to this FFmpeg; convert the clip first")
        look = first_look(container, stream, path)
        info = _clip_info(path, container, stream, look)
        several = _several_streams_note(container, info, is_chosen=video_stream is not None)
    if not _is_sane(info.rate):
        with open_input(path) as container:
            measured = measured_rate(container, pick_video_stream(container, path, info.video_stream))
        info = replace(info, rate=measured or Fraction(25))
    return replace(info, notes=(*several, *info.notes))


def _is_sane(rate: Fraction) -> bool:
    return 1 <= rate <= _MAX_SANE_RATE


def _several_streams_note(container: Any, info: ClipInfo, *, is_chosen: bool) -> list[str]:
    streams = video_streams(container)
    # Only MP4 and its kin list the frames of each track, so only there an empty one is known for what it is.
    is_empty = [info.container.startswith("mov") and not s.frames and not s.duration for s in streams]
    others = [str(i) for i in range(len(streams)) if i != info.video_stream and not is_empty[i]]
    if not others:
        return []
    height, width = info.size
    how = "asked for" if is_chosen else "taken (choose another with --video-stream)"
    return [
        f"the clip has {len(streams)} video streams: number {info.video_stream} ({width}x{height}) is {how}, "
        f"{' and '.join(others)} copied unchanged"
    ]


def _clip_info(path: Path, container: Any, stream: Any, look: FirstLook) -> ClipInfo:
    frame, context = look.frame, stream.codec_context
    height, width = frame.height, frame.width
    if min(height, width) < _MIN_SIDE or height * width > _MAX_PIXELS:
        raise UnsupportedInputError(
            f"{path}: a picture of {width}x{height} px cannot be worked on; allowed: {_MIN_SIDE} px to 16384x16384"
        )
    try:
        layout, bits = layout_of(planar_name(frame.format.name))
    except UnsupportedInputError as error:
        raise UnsupportedInputError(f"{path}: {error}") from error
    tags = color_tags(frame, context)
    color, notes = color_info(tags, frame, layout, bits, context)
    if look.loses_alpha:
        notes.append("the clip carries alpha beside its pictures that does not decode here: alpha is dropped")
    if is_gray(frame.format.name):
        notes.append(f"the clip is gray ({frame.format.name}): it is worked on as {layout.name} with neutral colour")
        if color.full_range:
            tags = replace(tags, range=FULL_RANGE)
    notes += [f"{what} is not carried to the output" for what in lost_metadata(frame)]
    matrix, matrix_notes = checked_matrix(_display_matrix(frame))
    return ClipInfo(
        path=path,
        container=container.format.name,
        codec=context.name,
        stream_index=stream.index,
        size=(height, width),
        time_base=stream.time_base,
        rate=stream.average_rate or stream.guessed_rate or Fraction(0),
        num_frames=_frame_count_hint(container, stream),
        layout=layout,
        color=color,
        tags=tags,
        pixel_aspect=stream.sample_aspect_ratio or None,
        display_matrix=matrix,
        light=read_dynamic_range(frame),
        field_order=field_order_of(context, frame),
        notes=(*notes, *matrix_notes),
        profile=context.profile,
        level=context.level if context.level > 0 else None,
        video_stream=video_streams(container).index(stream),
        num_promised=_num_promised(container, stream),
    )


def _num_promised(container: Any, stream: Any) -> int | None:
    if not stream.frames:
        return None
    if container.format.name.startswith("mov"):
        # The track's table after its edit list: what is hidden by it is not promised.
        return sum(not entry.is_discard for entry in stream.index_entries) or int(stream.frames)
    return int(stream.frames)


def _frame_count_hint(container: Any, stream: Any) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if container.duration and stream.average_rate and _is_sane(stream.average_rate):
        return round(container.duration / av.time_base * float(stream.average_rate))
    return None


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    data = side_data_of(frame).get("DISPLAYMATRIX")
    return None if data is None else tuple(int(v) for v in np.frombuffer(bytes(data), dtype="<i4")[:9])
