"""Putting the finished clip together: encoded pictures, every other stream of the source, tags and marks, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from faceswap.errors import ResourceError, UnsupportedInputError
from faceswap.files import disk_errors_named
from faceswap.media.encode import configure
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.packets import EncodedPicture, decode_times, reorder_depth
from faceswap.media.probe import ClipInfo
from faceswap.media.remux import Span, StreamCopier

PacketEdit = Callable[[bytes, str], bytes]
"""(packet, codec name "h264"/"hevc") -> packet; applied to key frames."""


@dataclass(frozen=True, slots=True)
class PictureRun:
    """Some packets in a row of the output's picture stream."""

    pts: Sequence[int]
    """Of its packets in decoding order, known before they are read."""
    read: Callable[[], Iterable[EncodedPicture]]


@dataclass(frozen=True, slots=True)
class ClipMuxer:
    """What goes into a container besides the pictures."""

    info: ClipInfo
    plan: EncodePlan
    source: Path | None = None
    """Its other streams, chapters and dispositions are copied; None = pictures only."""
    span: Span | None = None
    """The part of the source's time line that is written, its start at time 0; None = all, times unchanged."""
    metadata: Mapping[str, str] | None = None
    edit_key_packet: PacketEdit | None = None
    is_spliced: bool = False
    """Some runs are the source's own packets."""

    def write(self, path: Path, runs: Sequence[PictureRun]) -> list[str]:
        """Write the clip; return the streams of the source that the container cannot hold, in words.

        Raises:
            ResourceError: disk full.
        """
        shift = round(self.span.start / self.info.time_base) if self.span else 0
        times = [pts - shift for run in runs for pts in run.pts]
        dts = iter(decode_times(times, reorder_depth(times)))
        with disk_errors_named(path):
            output = av.open(f"file:{path.absolute()}", "w", format=self.plan.muxer, options=self._options())
        copier: StreamCopier | None = None
        try:
            stream = self._add_video(output)
            copier = (
                StreamCopier(self.source, output, self.info.video_stream, span=self.span)
                if self.source is not None
                else None
            )
            output.metadata.update(self.metadata or {})
            with disk_errors_named(path):
                for run in runs:
                    for picture in run.read():
                        self._mux(output, stream, copier, replace(picture, pts=picture.pts - shift), next(dts))
                if copier:
                    copier.copy_until(None)
                _finish(output, path)
        finally:
            if copier:
                copier.close()
            with suppress(av.FFmpegError, OSError):  # after an error nothing of this file will be used
                output.close()
        return copier.dropped if copier else []

    def _options(self) -> dict[str, str]:
        # The same input and settings give the same bytes: Matroska's random track ids would differ otherwise.
        options = {"fflags": "+bitexact"}
        if self.plan.muxer in ("mp4", "mov"):
            # They know a fixed list of metadata keys; this switch stores the others under their own names too.
            options["movflags"] = "use_metadata_tags"
        return options

    def _add_video(self, output: Any) -> Any:
        # An encoder of the same settings, opened only for its headers: the packets are made already.
        stream = output.add_stream(self.plan.codec, rate=Fraction(self.info.rate).limit_denominator(1 << 16))
        configure(stream.codec_context, self.info, self.plan, is_spliced=self.is_spliced)
        stream.time_base = self.info.time_base
        if self.info.display_matrix is not None:
            stream.set_display_matrix(self.info.display_matrix)
        return stream

    def _mux(self, output: Any, stream: Any, copier: StreamCopier | None, picture: EncodedPicture, dts: int) -> None:
        data = picture.data
        if self.edit_key_packet and picture.is_key:
            data = self.edit_key_packet(data, stream.codec_context.codec.canonical_name)
        packet = av.Packet(data)
        packet.pts, packet.dts, packet.duration = picture.pts, dts, picture.duration
        packet.time_base, packet.stream, packet.is_keyframe = self.info.time_base, stream, picture.is_key
        if copier:
            copier.copy_until(float(dts * self.info.time_base))
        try:
            output.mux_one(packet)
        except (av.InvalidDataError, av.ArgumentError) as error:  # about a copied packet that waited for this one
            raise UnsupportedInputError(
                f"{self.info.path}: its sound or subtitles are damaged and cannot be copied ({error.strerror}); "
                "remove them first, e.g. with `ffmpeg -i INPUT -c copy -an -sn OUTPUT.mkv`"
            ) from error


def _finish(output: Any, path: Path) -> None:
    try:
        output.close()
    except av.FFmpegError as error:
        raise ResourceError(f"cannot finish {path}: {error}; make room and repeat the command") from error
