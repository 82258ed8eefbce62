"""Writing a clip from RGB pictures and a sound: for the demo and the benchmark, which make their own footage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.media.h273 import BT709, STUDIO_RANGE
from faceswap.media.planes import convert_planes, rgb_color
from faceswap.media.samples import plane_view
from faceswap.types import ColorInfo, PlaneLayout

_COLOR = ColorInfo(matrix="bt709")
_LAYOUT, _RGB_LAYOUT = PlaneLayout("yuv420p", (1, 1)), PlaneLayout("gbrp", (0, 0))
_AUDIO_CHUNK = 1024
_KEEPS_ALL_TAGS = {"movflags": "use_metadata_tags"}


def write_clip(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    *,
    rate: int = 25,
    sound: NDArray[np.float32] | None = None,
    sample_rate: int = 48000,
    crf: int = 16,
    preset: str = "veryfast",
    title: str = "",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Encode pictures as H.264, 4:2:0, BT.709, with a mono AAC track when there is a sound.

    Args:
        pictures: (H, W, 3) uint8 RGB, equally large, H and W even.
        sound: (1, N) float32 [-1, 1].
        metadata: further tags of the container.
    """
    with av.open(f"file:{path.absolute()}", "w", format="mp4", options=_KEEPS_ALL_TAGS) as output:
        video = output.add_stream("libx264", rate=rate)
        audio = output.add_stream("aac", rate=sample_rate, layout="mono") if sound is not None else None
        output.metadata.update({"title": title, **(metadata or {})})
        for index, picture in enumerate(pictures):
            if index == 0:
                _set_up(video.codec_context, picture.shape, crf, preset)
            frame = _to_yuv(picture)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None and sound is not None:
            _encode_sound(output, audio, sound, sample_rate)


def _set_up(context: Any, shape: tuple[int, ...], crf: int, preset: str) -> None:
    context.height, context.width, context.pix_fmt = shape[0], shape[1], _LAYOUT.name
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = STUDIO_RANGE
    context.options = {"crf": str(crf), "preset": preset}


def _to_yuv(picture: NDArray[np.uint8]) -> Any:
    red, green, blue = np.moveaxis(picture, 2, 0)
    height, width = picture.shape[:2]
    frame = av.VideoFrame(width, height, _LAYOUT.name)
    planes = convert_planes((green, blue, red), _RGB_LAYOUT, rgb_color(8), _LAYOUT, _COLOR)
    for plane, values in zip(frame.planes, planes, strict=True):
        np.copyto(plane_view(plane, 8), values)
    return frame


def _encode_sound(output: Any, audio: Any, sound: NDArray[np.float32], sample_rate: int) -> None:
    for start in range(0, sound.shape[1], _AUDIO_CHUNK):
        chunk = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[:, start : start + _AUDIO_CHUNK]), format="fltp", layout="mono"
        )
        chunk.sample_rate, chunk.pts, chunk.time_base = sample_rate, start, Fraction(1, sample_rate)
        output.mux(audio.encode(chunk))
    output.mux(audio.encode(None))
