"""Encoding frames into a clip that keeps the source's times, tags and other streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.errors import FaceswapError, ResourceError, ShapeError, UsageError
from faceswap.files import disk_errors_named
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import plane_view
from faceswap.media.recode import planes_in_range
from faceswap.media.remux import StreamCopier
from faceswap.media.short_clips import with_decoding_times
from faceswap.types import Frame

_FRAME_DURATION_FLAG = 1 << 8
"""AV_CODEC_FLAG_FRAME_DURATION: encoders hand each frame's own duration on to the muxer."""

PacketEdit = Callable[[bytes, str], bytes]
"""(packet, codec name "h264"/"hevc") -> packet; applied to key frames."""


class ClipWriter:
    """Writes frames in presentation order; other streams are copied from `source`."""

    def __init__(
        self,
        path: Path,
        info: ClipInfo,
        plan: EncodePlan,
        *,
        source: Path | None = None,
        metadata: Mapping[str, str] | None = None,
        edit_key_packet: PacketEdit | None = None,
    ) -> None:
        self._path, self._info, self._plan, self._edit = path, info, plan, edit_key_packet
        self.num_frames = 0
        # The same input and settings give the same bytes: Matroska's random track ids would differ otherwise.
        options = {"fflags": "+bitexact"}
        if plan.muxer in ("mp4", "mov"):
            # They know a fixed list of metadata keys; this switch stores the others under their own names too.
            options["movflags"] = "use_metadata_tags"
        with disk_errors_named(path):
            self._output = av.open(f"file:{path.absolute()}", "w", format=plan.muxer, options=options)
        self._stream = self._add_video()
        self._copier = StreamCopier(source, self._output) if source is not None else None
        self._output.metadata.update(metadata or {})

    @property
    def dropped(self) -> list[str]:
        """Streams of the source that the container cannot hold, in words."""
        return self._copier.dropped if self._copier else []

    def _add_video(self) -> Any:
        info, plan = self._info, self._plan
        stream = self._output.add_stream(plan.codec, rate=Fraction(info.rate).limit_denominator(1 << 16))
        context = stream.codec_context
        context.height, context.width = info.size
        context.pix_fmt = plan.pix_fmt
        stream.time_base = context.time_base = info.time_base
        context.color_primaries, context.color_trc = plan.tags.primaries, plan.tags.transfer
        context.colorspace, context.color_range = plan.tags.matrix, plan.tags.range
        if info.pixel_aspect:
            context.sample_aspect_ratio = info.pixel_aspect
        if info.display_matrix is not None:
            stream.set_display_matrix(info.display_matrix)
        if plan.codec in ("libx265", "hevc_nvenc") and plan.muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # Apple's players refuse hev1
        context.options = dict(plan.options)
        context.thread_type = "AUTO"
        context.flags |= _FRAME_DURATION_FLAG
        return stream

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            ShapeError: another size or layout than announced. ResourceError: disk full.
        """
        picture = self._to_av(frame)
        try:
            packets = self._stream.encode(picture)
        except (av.FFmpegError, ValueError) as error:
            if self.num_frames == 0:  # the encoder opens with its first frame
                options = " ".join(f"{name}={value}" for name, value in self._plan.options.items())
                raise UsageError(
                    f"{self._plan.codec} does not take these settings ({options}, {self._plan.pix_fmt}): {error}"
                ) from error
            raise FaceswapError(f"{self._plan.codec} failed at {frame}: {error}") from error
        self._mux(packets)
        self.num_frames += 1

    def _to_av(self, frame: Frame) -> Any:
        info = self._info
        if frame.size != info.size or frame.layout != info.layout:
            raise ShapeError(f"{frame} does not fit into a clip of {info.size} {info.layout.name}")
        plan = self._plan
        if info.layout.is_rgb and not plan.layout.is_rgb:
            picture = _picture(yuv_planes(frame, plan), plan.pix_fmt, plan.color.bit_depth)
        else:
            picture = _picture(planes_in_range(frame, plan.color), info.layout.name, info.color.bit_depth)
            if plan.pix_fmt != info.layout.name:
                picture = picture.reformat(format=plan.pix_fmt)
        picture.pts, picture.time_base = frame.time.pts, frame.time.time_base
        picture.duration = frame.duration
        picture.color_range, picture.colorspace = plan.tags.range, plan.tags.matrix
        # ProRes writes the frame's own tags into its headers.
        picture.color_primaries, picture.color_trc = plan.tags.primaries, plan.tags.transfer
        return picture

    def _mux(self, packets: Sequence[Any]) -> None:
        codec = self._stream.codec_context.codec.canonical_name
        with disk_errors_named(self._path):
            for packet in packets:
                if self._edit and packet.is_keyframe:
                    packet = _with_data(packet, self._edit(bytes(packet), codec))
                if self._copier:
                    self._copier.copy_until(float(packet.dts * packet.time_base))
                self._output.mux_one(packet)

    def close(self) -> None:
        """Flush the encoder, copy what is left of the other streams, write the container's index."""
        self._mux(with_decoding_times(self._stream.encode(None), self._plan.codec, self.num_frames))
        with disk_errors_named(self._path):
            if self._copier:
                self._copier.copy_until(None)
                self._copier.close()
            try:
                self._output.close()
            except av.FFmpegError as error:
                raise ResourceError(f"cannot finish {self._path}: {error}") from error

    def abort(self) -> None:
        """Let go of all files without finishing; the unfinished file is the caller's to delete."""
        if self._copier:
            self._copier.close()
        with suppress(av.FFmpegError, OSError):  # nothing of this file will be used
            self._output.close()


def _with_data(packet: Any, data: bytes) -> Any:
    edited = av.Packet(data)
    edited.pts, edited.dts, edited.duration, edited.time_base = (
        packet.pts,
        packet.dts,
        packet.duration,
        packet.time_base,
    )
    edited.stream, edited.is_keyframe = packet.stream, packet.is_keyframe
    for data_entry in packet.iter_sidedata():
        edited.set_sidedata(data_entry)
    return edited


def _picture(planes: Sequence[NDArray], pix_fmt: str, bit_depth: int) -> Any:
    height, width = planes[0].shape
    picture = av.VideoFrame(width, height, pix_fmt)
    for plane, samples in zip(picture.planes, planes, strict=True):
        np.copyto(plane_view(plane, bit_depth), samples)
    return picture


def yuv_planes(frame: Frame, plan: EncodePlan) -> list[NDArray]:
    """Return an RGB frame as the planes of a YUV format, by our own matrix (swscale's has a bias)."""
    rgb = color.transform(np.stack(frame.planes[:3]).astype(np.float32), color.rgb_from_codes(frame.color))
    dtype = np.uint8 if plan.color.bit_depth == 8 else np.uint16
    top = 2**plan.color.bit_depth - 1
    planes = []
    for i, codes in enumerate(color.transform(rgb, color.codes_from_rgb(plan.color))):
        if i:
            height, width = (-(-n // 2**s) for n, s in zip(frame.size, plan.layout.chroma_shift, strict=True))
            codes = cv2.resize(codes, (width, height), interpolation=cv2.INTER_AREA)
        planes.append(np.rint(codes).clip(0, top).astype(dtype))
    return planes
