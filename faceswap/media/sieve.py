"""Which packets of copied streams can be written: a damaged or impossible one must not end a conversion."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

_NO_NEGATIVE_TIMES = {"matroska", "webm", "mpegts"}
"""Muxers that move all streams later, the picture too, when one packet comes before time zero."""
_KNOWS_RUN_IN = "matroska,webm"
"""Input format that says how long the run-in of a sound is, so that the Matroska muxer can put it before zero again."""


def lacks_facts(stream: Any) -> bool:
    """True for a picture without a size or a sound without a rate: its header is damaged, no muxer takes it."""
    context = stream.codec_context
    needed = {"video": "width", "audio": "sample_rate"}.get(stream.type)
    return context is not None and needed is not None and not getattr(context, needed)


class PacketSieve:
    """Tells packets that can be copied from those that cannot, and keeps count of the latter."""

    def __init__(self, source_format: str, muxer: str) -> None:
        keeps_run_in = source_format == _KNOWS_RUN_IN and muxer in _KNOWS_RUN_IN.split(",")
        self._is_from_zero = muxer in _NO_NEGATIVE_TIMES and not keeps_run_in
        self._last: dict[int, int] = {}
        self._lost: dict[int, Counter[str]] = defaultdict(Counter)
        self._kinds: dict[int, str] = {}

    def keeps(self, packet: Any) -> bool:
        """Return True for a packet that can be written: it has a time, and that is neither before zero nor going back.

        What lies before zero is the run-in of an audio encoder: players cut it off.
        """
        if packet.dts is None and packet.pts is None:
            self.lose(packet, "carry no time")
            return False
        if self._is_from_zero and packet.pts is not None and packet.pts < 0:
            return False
        if packet.dts is not None:  # Matroska gives the first packets of pictures none
            if packet.dts < self._last.get(packet.stream_index, packet.dts):
                self.lose(packet, "go back in time")
                return False
            self._last[packet.stream_index] = packet.dts
        return True

    def lose(self, packet: Any, why: str) -> None:
        """Note that a packet is left out."""
        self._kinds[packet.stream_index] = packet.stream.type
        self._lost[packet.stream_index][why] += 1

    @property
    def notes(self) -> list[str]:
        """What is left out, in words."""
        return [
            f"{count} packets of {self._kinds[index]} stream {index} {why} and are left out"
            for index, reasons in sorted(self._lost.items())
            for why, count in reasons.items()
        ]
