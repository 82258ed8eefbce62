"""Reading back what rides inside a clip: SEI user data of its key frames, and times of its packets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from faceswap.media.probe import open_input, pick_video_stream
from faceswap.media.sei import CODECS, find_user_data

_MAX_KEY_FRAMES = 8


def read_user_data(path: Path, uuid: bytes) -> bytes | None:
    """Return the SEI payload stored under `uuid` in one of the first key frames of any video stream, or None."""
    with open_input(path) as container:
        for stream in container.streams.video:
            context = stream.codec_context
            codec = context.codec.canonical_name if context else ""
            if codec not in CODECS:
                continue
            seen = 0
            container.seek(0, stream=stream, any_frame=False)
            for packet in container.demux(stream):
                if packet.size and packet.is_keyframe:
                    found = find_user_data(bytes(packet), codec, uuid, context.extradata)
                    seen += 1
                    if found is not None:
                        return found
                if seen == _MAX_KEY_FRAMES:
                    break
    return None


def packet_times(path: Path) -> list[Fraction]:
    """Return the presentation times (s) of the video's packets, in order, without decoding."""
    with open_input(path) as container:
        stream = pick_video_stream(container, path)
        times = []
        try:
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:
                    times.append(packet.pts * packet.time_base)
        except av.FFmpegError:
            pass  # a file cut short: what it holds is counted
        return sorted(times)
