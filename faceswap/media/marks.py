"""Reading back what rides inside a clip: SEI user data of its key frames, and times of its packets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from faceswap.errors import UnsupportedInputError
from faceswap.media.probe import open_input, pick_video_stream
from faceswap.media.sei import CODECS, find_user_data

_MAX_KEY_FRAMES = 8


def read_user_data(path: Path, uuid: bytes) -> bytes | None:
    """Return the SEI payload stored under `uuid` in one of the first key frames of any video stream, or None.

    Raises:
        UnsupportedInputError: not one packet can be read, so that nothing can be said about the file.
    """
    with open_input(path) as container:
        streams = {s.index: s.codec_context for s in container.streams.video if s.codec_context}
        seen = dict.fromkeys(streams, 0)
        try:
            for packet in container.demux(list(container.streams.video)):
                context = streams.get(packet.stream_index)
                if context is None or not packet.size or not packet.is_keyframe:
                    continue
                codec = context.codec.canonical_name
                if codec not in CODECS:
                    continue
                found = find_user_data(bytes(packet), codec, uuid, context.extradata)
                if found is not None:
                    return found
                seen[packet.stream_index] += 1
                if max(seen.values()) >= _MAX_KEY_FRAMES:
                    return None
        except av.FFmpegError as error:
            if not any(seen.values()):
                raise UnsupportedInputError(f"{path} cannot be read ({error.strerror}); is it complete?") from error
    return None


def packet_times(path: Path, video_stream: int | None = None) -> list[Fraction]:
    """Return the presentation times (s) of the packets of a video stream (None = FFmpeg's best), without decoding."""
    with open_input(path) as container:
        stream = pick_video_stream(container, path, video_stream)
        times = []
        try:
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:
                    times.append(packet.pts * packet.time_base)
        except av.FFmpegError:
            pass  # a file cut short: what it holds is counted
        return sorted(times)
