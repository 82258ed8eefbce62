"""Copying what a conversion does not touch: audio, subtitles, attachments, chapters, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from faceswap.media.probe import is_chapter_track, open_input, pick_video_stream
from faceswap.media.sieve import PacketSieve, lacks_facts


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the source's time line that becomes the output's; seconds, half-open."""

    start: Fraction
    stop: Fraction


class StreamCopier:
    """Copies every stream but the converted one from the source, interleaved with the new video."""

    def __init__(self, source: Path, output: Any, video_stream: int | None = None, *, span: Span | None = None) -> None:
        """
        Args:
            video_stream: number of the converted one. span: only this part is copied, and its start becomes time 0;
                None = everything, times unchanged.
        """
        self._source = open_input(source)
        self._output, self._span = output, span
        self._dropped: list[str] = []
        self._sieve = PacketSieve(self._source.format.name, output.format.name)
        video = pick_video_stream(self._source, source, video_stream)
        self._stream_of: dict[int, Any] = {}
        for stream in self._source.streams:
            if stream.index != video.index:
                self._add(stream)
        self._copy_attributes(video)
        self._packets = self._source.demux([s for s in self._source.streams if s.index in self._stream_of])
        self._waiting = self._next_packet() if self._stream_of else None

    @property
    def dropped(self) -> list[str]:
        """One line for each stream, or part of one, that is not in the output."""
        return [*self._dropped, *self._sieve.notes]

    def _add(self, stream: Any) -> None:
        codec = getattr(stream.codec_context, "name", None)
        if self._source.chapters() and is_chapter_track(stream):
            return
        if lacks_facts(stream):
            self._dropped.append(f"{stream.type} stream {stream.index} has a damaged header and is left out")
            return
        try:
            copy = self._output.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError, TypeError, AttributeError) as error:
            self._dropped.append(
                f"{stream.type} stream {stream.index} ({codec or 'unknown codec'}) "
                f"does not fit into {self._output.format.name} and is left out ({error})"
            )
            return
        copy.metadata.update(stream.metadata)
        # The converted stream stays the one that players choose.
        is_video = stream.type == "video"
        copy.disposition = stream.disposition & ~stream.disposition.default if is_video else stream.disposition
        self._stream_of[stream.index] = copy

    def _copy_attributes(self, video: Any) -> None:
        self._output.set_chapters(self._chapters())
        self._output.streams.video[0].disposition = type(video.disposition).default
        self._output.streams.video[0].metadata.update(
            {key: value for key, value in video.metadata.items() if key.lower() not in ("encoder", "duration")}
        )

    def _chapters(self) -> list[dict[str, Any]]:
        chapters = self._source.chapters()
        if self._span is None:
            return chapters
        kept = []
        for chapter in chapters:
            base = chapter["time_base"]
            length = (self._span.stop - self._span.start) / base
            start, end = (Fraction(chapter[key]) - self._span.start / base for key in ("start", "end"))
            if end > 0 and start < length:
                kept.append({**chapter, "start": round(max(start, 0)), "end": round(min(end, length))})
        return kept

    def _next_packet(self) -> Any | None:
        while True:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError as error:  # what came before is copied
                self._dropped.append(f"audio and other streams end early: the input is damaged ({error.strerror})")
                return None
            if packet is None or (packet.size and self._is_in_span(packet)):  # empty packets only flush decoders
                return packet

    def _is_in_span(self, packet: Any) -> bool:
        """Move a packet to its time in the output; False = it has none there."""
        pts = packet.pts if packet.pts is not None else packet.dts
        if self._span is None:
            return True
        if pts is None:
            return False
        base = packet.time_base
        start, end = pts * base, (pts + int(packet.duration or 0)) * base
        if packet.stream.type == "subtitle" and start < self._span.stop and end > self._span.start:
            # What is to be read at the cut stays to be read, within the part.
            start, end = max(start, self._span.start), min(end, self._span.stop)
            pts, packet.duration = round(start / base), round((end - start) / base)
        if not self._span.start <= start < self._span.stop:
            return False
        shift = round(self._span.start / base)
        is_moved = pts != packet.pts
        packet.pts = pts - shift
        packet.dts = packet.pts if is_moved or packet.dts is None else packet.dts - shift
        return True

    def copy_until(self, seconds: float | None) -> None:
        """Mux all packets that lie before `seconds`; None = all that are left."""
        while self._waiting is not None:
            packet = self._waiting
            ticks = packet.dts if packet.dts is not None else packet.pts
            if seconds is not None and ticks is not None and float(ticks * packet.time_base) > seconds:
                return
            self._copy(packet)
            self._waiting = self._next_packet()

    def _copy(self, packet: Any) -> None:
        if not self._sieve.keeps(packet):
            return
        source = packet.stream
        packet.stream = self._stream_of[source.index]
        try:
            self._output.mux_one(packet)
        except (av.InvalidDataError, av.ArgumentError):
            packet.stream = source
            self._sieve.lose(packet, "are damaged")

    def close(self) -> None:
        self._source.close()


def source_metadata(source: Path) -> dict[str, str]:
    """Return the container's metadata that means something outside the old file."""
    with open_input(source) as container:
        structural = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
        return {key: value for key, value in container.metadata.items() if key.lower() not in structural}
