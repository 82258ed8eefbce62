"""Which packets of copied streams can be written: a damaged or impossible one must not end a conversion."""

from __future__ import annotations

from collections import Counter
from typing import Any


def lacks_facts(stream: Any) -> bool:
    """True for a picture without a size or a sound without a rate: its header is damaged, no muxer takes it."""
    context = stream.codec_context
    needed = {"video": "width", "audio": "sample_rate"}.get(stream.type)
    return context is not None and needed is not None and not getattr(context, needed)


class PacketSieve:
    """Tells packets that can be copied from those that cannot, and keeps count of the latter."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._lost: Counter[tuple[int, str, str]] = Counter()

    def keeps(self, packet: Any) -> bool:
        """Return True for a packet that muxers take: it has a time, and that does not go back."""
        if packet.dts is None and packet.pts is None:
            self.lose(packet, "carry no time")
            return False
        if packet.dts is not None:  # Matroska gives the first packets of pictures none
            if packet.dts < self._last.get(packet.stream_index, packet.dts):
                self.lose(packet, "go back in time")
                return False
            self._last[packet.stream_index] = packet.dts
        return True

    def lose(self, packet: Any, why: str) -> None:
        """Note that a packet is left out."""
        self._lost[packet.stream_index, packet.stream.type, why] += 1

    @property
    def notes(self) -> list[str]:
        """What is left out, in words."""
        return [
            f"{count} packets of {kind} stream {index} {why} and are left out"
            for (index, kind, why), count in sorted(self._lost.items())
        ]
