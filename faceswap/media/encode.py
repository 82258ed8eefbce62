"""Encoding frames into packets that keep the frames' own times; what container they end up in is another matter."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import FaceswapError, ShapeError, UsageError
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.interlace import encode_interlaced, field_flagger
from faceswap.media.layouts import layout_of, planar_name
from faceswap.media.packets import EncodedPicture, encoded_picture
from faceswap.media.planes import convert_planes
from faceswap.media.probe import ClipInfo
from faceswap.media.samples import plane_view
from faceswap.types import ColorInfo, Frame

_FRAME_DURATION_FLAG = 1 << 8
"""AV_CODEC_FLAG_FRAME_DURATION: encoders hand each frame's own duration on to the packets."""
_GLOBAL_HEADER_FLAG = 1 << 22
"""AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets go into the container's header instead of the key frames."""
_OWN_SPS = 1
"""sps-id of spliced H.264: a number of its own, so that the two encoders' parameter sets do not replace each other."""


def configure(context: Any, info: ClipInfo, plan: EncodePlan, *, is_spliced: bool = False) -> None:
    """Set an unopened encoder context up for the pictures of `info`.

    Args:
        is_spliced: packets of another encoder stand beside this one's in the stream, so key frames carry their own
            parameter sets (H.264, H.265).
    """
    context.height, context.width = info.size
    context.pix_fmt = plan.pix_fmt
    context.time_base = info.time_base
    context.framerate = Fraction(info.rate).limit_denominator(1 << 16)
    context.color_primaries, context.color_trc = plan.tags.primaries, plan.tags.transfer
    context.colorspace, context.color_range = plan.tags.matrix, plan.tags.range
    if info.pixel_aspect:
        context.sample_aspect_ratio = info.pixel_aspect
    if plan.codec in ("libx265", "hevc_nvenc") and plan.muxer in ("mp4", "mov"):
        # Apple's players refuse hev1, but hvc1 forbids parameter sets in the stream: its muxer takes them out.
        context.codec_tag = "hev1" if is_spliced else "hvc1"
    context.options = dict(plan.options)
    if is_spliced and plan.codec == "libx264":
        given = plan.options.get("x264-params")
        context.options["x264-params"] = f"{given}:sps-id={_OWN_SPS}" if given else f"sps-id={_OWN_SPS}"
    context.thread_type = "AUTO"
    context.flags |= _FRAME_DURATION_FLAG
    encode_interlaced(context, plan.field_order)


class VideoEncoder:
    """Frames in presentation order in, packets in decoding order out; the first packet is a key frame."""

    def __init__(self, info: ClipInfo, plan: EncodePlan, *, is_spliced: bool = False) -> None:
        """Args as in `configure`."""
        self._info, self._plan = info, plan
        self._num_frames = 0
        self._context = av.CodecContext.create(plan.codec, "w")
        configure(self._context, info, plan, is_spliced=is_spliced)
        self._flagged = field_flagger(plan.field_order, info.size, plan.pix_fmt, info.time_base)
        if not is_spliced and plan.muxer != "mpegts":
            self._context.flags |= _GLOBAL_HEADER_FLAG

    def encode(self, frame: Frame) -> list[EncodedPicture]:
        """Return the packets that one more frame makes ready; often none.

        Raises:
            ShapeError: another size or layout than announced. UsageError: settings the encoder does not take.
        """
        picture = self._to_av(frame)
        try:
            packets = self._context.encode(picture)
        except (av.FFmpegError, ValueError) as error:
            if self._num_frames == 0:  # the encoder opens with its first frame
                options = " ".join(f"{name}={value}" for name, value in self._plan.options.items())
                raise UsageError(
                    f"{self._plan.codec} does not take these settings ({options}, {self._plan.pix_fmt}): {error}"
                ) from error
            raise FaceswapError(f"{self._plan.codec} failed at {frame}: {error}") from error
        self._num_frames += 1
        return self._pictures(packets)

    def finish(self) -> list[EncodedPicture]:
        """Return the packets that the encoder still holds; nothing can be encoded afterwards.

        Raises:
            FaceswapError: the encoder fails.
        """
        if not self._num_frames:
            return []
        try:
            return self._pictures(self._context.encode(None))
        except (av.FFmpegError, ValueError) as error:
            raise FaceswapError(
                f"{self._plan.codec} failed at the end of its {self._num_frames} frames: {error}"
            ) from error

    def _pictures(self, packets: Sequence[Any]) -> list[EncodedPicture]:
        return [encoded_picture(packet, self._info.time_base) for packet in packets if packet.size]

    def _to_av(self, frame: Frame) -> Any:
        info = self._info
        if frame.size != info.size or frame.layout != info.layout:
            raise ShapeError(f"{frame} does not fit into a clip of {info.size} {info.layout.name}")
        plan = self._plan
        planes = frame.planes
        planar, _ = layout_of(planar_name(plan.pix_fmt))
        if planar != info.layout or not _reads_alike(plan.color, info.color):
            is_interlaced = plan.field_order is not None
            planes = convert_planes(planes, info.layout, info.color, planar, plan.color, is_interlaced=is_interlaced)
        picture = _picture(planes, planar.name, plan.color.bit_depth)
        if planar.name != plan.pix_fmt:  # the same samples in another order
            picture = picture.reformat(format=plan.pix_fmt)
        picture.pts, picture.time_base = frame.time.pts, frame.time.time_base
        picture.duration = frame.duration
        picture.color_range, picture.colorspace = plan.tags.range, plan.tags.matrix
        # ProRes writes the frame's own tags into its headers.
        picture.color_primaries, picture.color_trc = plan.tags.primaries, plan.tags.transfer
        return self._flagged(picture)


def _reads_alike(a: ColorInfo, b: ColorInfo) -> bool:
    return (a.matrix, a.full_range, a.bit_depth) == (b.matrix, b.full_range, b.bit_depth)


def _picture(planes: Sequence[NDArray], pix_fmt: str, bit_depth: int) -> Any:
    height, width = planes[0].shape
    picture = av.VideoFrame(width, height, pix_fmt)
    for plane, samples in zip(picture.planes, planes, strict=True):
        np.copyto(plane_view(plane, bit_depth), samples)
    return picture
