"""One pass of a decoder over a clip: packets in, pictures with their times out, damage counted instead of hidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av

from faceswap.media.probe import ClipInfo, open_input, pick_video_stream
from faceswap.media.times import Clock

_MAX_HOLES = 100
"""Damaged places after which a file is given up."""


class DecodingPass:
    """Decodes a clip once, from the start or from a place reached by seeking."""

    def __init__(self, info: ClipInfo) -> None:
        self._info = info
        self.clock = Clock(info)
        self.num_damaged = 0
        """Places that could not be read or decoded."""

    def pictures(self, seek_to: int | None = None) -> Iterator[tuple[Any, int]]:
        """Yield (`av.VideoFrame`, time in ticks) in presentation order.

        Args:
            seek_to: ticks; start at a key frame that the container's index places at or before this time. What comes
                first may be earlier, later or (open GOPs) damaged: the caller has to check. None = all of the clip.
        """
        with open_input(self._info.path) as container:
            stream = pick_video_stream(container, self._info.path)
            stream.thread_type = "AUTO"
            if seek_to is not None:
                container.seek(seek_to, stream=stream, backward=True)
            for decoded in self._decode(container, stream):
                yield decoded, self.clock.time_of(decoded)

    def _decode(self, container: Any, stream: Any) -> Iterator[Any]:
        is_drained = False
        for packet in self._packets(container, stream):
            is_drained = not packet.size
            self.clock.saw(packet)
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.num_damaged += 1
        if not is_drained:  # the demuxer gave no end-of-stream packet that would have emptied the decoder
            with suppress(av.FFmpegError):
                yield from stream.codec_context.decode(None)

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield packets, going on behind damaged places as long as the demuxer finds something there."""
        for _ in range(_MAX_HOLES):
            try:
                yield from container.demux(stream)
                return
            except av.InvalidDataError:
                self.num_damaged += 1
            except av.FFmpegError:  # a truncated file ends in an I/O error: what came before is still good
                self.num_damaged += 1
                return
