"""Decoding on an NVIDIA GPU (NVDEC), by FFmpeg's hwaccel: the same samples as on the CPU, in less of its time."""

from __future__ import annotations

from typing import Any

import av

from faceswap.errors import FaceswapError
from faceswap.media.probe import ClipInfo, open_input, pick_video_stream


def cuda_decoder() -> Any:
    """Return what `av.open` needs to decode on the GPU; pictures come back in the CPU's memory."""
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=True)


def why_not_on_gpu(info: ClipInfo) -> str | None:
    """Return why a clip is not decoded on the GPU here, as a sentence; None = it is, as its first picture shows."""
    try:
        with open_input(info.path, cuda_decoder()) as container:
            stream = pick_video_stream(container, info.path, info.video_stream)
            next(container.decode(stream))
            reason = None if stream.codec_context.is_hwaccel else f"it does not know this {info.codec}"
    except (FaceswapError, av.FFmpegError, OSError, ValueError, RuntimeError, StopIteration) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "strerror", None) or cause or type(cause).__name__).lower()
    return f"the clip is decoded on the CPU: the GPU cannot ({reason})" if reason else None
