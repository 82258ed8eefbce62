"""Decoding times of very short clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_REORDER_DEPTH = 2
"""Frames that x265 holds back with its B-frame pyramid."""


def with_decoding_times(packets: Sequence[Any], encoder: str, num_frames: int) -> Sequence[Any]:
    """Return an encoder's last packets, with decoding times that can be trusted.

    x265 4.2 derives them from the frame two places back; for a clip of one or two frames it reads a place that it never
    wrote, and the muxers refuse such times now and then. All packets of so short a clip come at the end.
    """
    if encoder != "libx265" or num_frames > _REORDER_DEPTH:
        return packets
    shown = sorted(packet.pts for packet in packets)
    late = max((tick - packet.pts for tick, packet in zip(shown, packets, strict=True)), default=0)
    for tick, packet in zip(shown, packets, strict=True):
        packet.dts = tick - late
    return packets
