"""One pass of a decoder over a clip: packets in, pictures with their times out, damage counted instead of hidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av

from faceswap.media.decoders import decoder_for
from faceswap.media.hardware import cuda_decoder
from faceswap.media.probe import ClipInfo, open_input, pick_video_stream
from faceswap.media.times import Clock

ONE_PICTURE_A_PACKET = {"h264", "hevc", "vvc", "prores", "dnxhd", "ffv1", "mjpeg"}
"""Codecs whose packets each hold one picture to be shown; others hide pictures in packets, or spread them."""
_MAX_HOLES = 100
"""Damaged places after which a file is given up."""


class DecodingPass:
    """Decodes a clip once, from the start or from a place reached by seeking."""

    def __init__(self, info: ClipInfo, *, on_gpu: bool = False) -> None:
        """Make a pass.

        Args:
            on_gpu: decode there; `hardware.why_not_on_gpu` has found that it works.
        """
        self._info, self._on_gpu = info, on_gpu
        self.clock = Clock(info)
        self.num_damaged = 0
        """Places that could not be read or decoded."""
        self.num_flawed = 0
        """Pictures that came out damaged."""
        self._num_packets = 0
        """That hold a picture to be shown."""
        self._num_pictures = 0
        self._is_interlaced = False
        self._is_finished = False

    @property
    def num_lost(self) -> int:
        """Pictures that went into the decoder and never came out; 0 before the pass is over, or when nobody can tell."""
        is_countable = self._info.codec in ONE_PICTURE_A_PACKET and not self._is_interlaced  # fields share a picture
        return max(0, self._num_packets - self._num_pictures) if self._is_finished and is_countable else 0

    def pictures(self, seek_to: int | None = None) -> Iterator[tuple[Any, int]]:
        """Yield (`av.VideoFrame`, time in ticks) in presentation order.

        Args:
            seek_to: ticks; start at a key frame that the container's index places at or before this time. What comes
                first may be earlier, later or (open GOPs) damaged: the caller has to check. None = all of the clip.
        """
        info = self._info
        with open_input(info.path, cuda_decoder() if self._on_gpu else None) as container:
            stream = pick_video_stream(container, info.path, info.video_stream)
            decoder = decoder_for(stream, with_alpha=info.layout.has_alpha)
            decoder.thread_type = "AUTO"
            if seek_to is not None:
                container.seek(seek_to, stream=stream, backward=True)
            for decoded in self._decode(self._packets(container, stream), decoder):
                self._num_pictures += 1
                self.num_flawed += decoded.is_corrupt
                self._is_interlaced |= decoded.interlaced_frame
                yield decoded, self.clock.time_of(decoded)
        self._is_finished = True

    def _decode(self, packets: Iterator[Any], decoder: Any) -> Iterator[Any]:
        is_drained = False
        for packet in packets:
            is_drained = not packet.size
            self._num_packets += packet.size > 0 and not packet.is_discard
            self.clock.saw(packet)
            try:
                yield from decoder.decode(packet)
            except av.FFmpegError:
                self.num_damaged += 1
        if not is_drained:  # the demuxer gave no end-of-stream packet that would have emptied the decoder
            with suppress(av.FFmpegError):
                yield from decoder.decode(None)

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
