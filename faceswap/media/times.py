"""Presentation times that always rise, whatever the container says."""

from __future__ import annotations

from typing import Any

from faceswap.media.probe import ClipInfo

_UNTIMED_CONTAINERS = {"avi"}
"""They store an order and a rate; the presentation times FFmpeg guesses for them jump to and fro with B-frames."""
_NEW_TIME_LINE_SECONDS = 0.25
"""A step back of more than this is a new beginning (files joined end to end), not a wrong stamp."""


class Clock:
    """Gives each frame of one decoding pass its time."""

    def __init__(self, info: ClipInfo) -> None:
        self._step = max(1, round(1 / (info.rate * info.time_base)))
        self._jump = max(2 * self._step, round(_NEW_TIME_LINE_SECONDS / info.time_base))
        self._is_untimed = info.container in _UNTIMED_CONTAINERS
        self._first_dts: int | None = None
        self._delay: int | None = None
        self._last: int | None = None
        self._shift = 0
        self.num_missing = 0
        """Frames without a time, in a container that has times."""
        self.num_moved = 0
        """Frames whose time was not later than that of the frame before."""

    def saw(self, packet: Any) -> None:
        """Note the first packet that goes into the decoder."""
        if self._first_dts is None:
            self._first_dts = packet.dts

    def time_of(self, decoded: Any) -> int:
        """Return the presentation time (ticks) of the next frame: later than all before it."""
        raw = self._by_order(decoded) if self._is_untimed else decoded.pts
        pts = self._rising(raw)
        self._last = pts
        return pts

    @property
    def remarks(self) -> tuple[str, ...]:
        """What had to be put right, in words."""
        remarks = []
        if self.num_missing:
            remarks.append(f"{self.num_missing} frames carry no time; the clip's own rate is taken for them")
        if self.num_moved:
            remarks.append(f"{self.num_moved} frames were not later than the frame before; their times are moved")
        return tuple(remarks)

    def _by_order(self, decoded: Any) -> int | None:
        # A frame leaves the decoder with the decoding time of the packet that pushed it out: right but for the delay.
        if decoded.dts is None:
            return None
        if self._delay is None:
            self._delay = decoded.dts - (decoded.dts if self._first_dts is None else self._first_dts)
        return int(decoded.dts - self._delay)

    def _rising(self, raw: int | None) -> int:
        if raw is None:
            # Raw streams carry no times, and the last frames of an AVI leave the decoder without one: count on.
            self.num_missing += not self._is_untimed
            return 0 if self._last is None else self._last + self._step
        pts = int(raw) + self._shift
        if self._last is None or pts > self._last:
            return pts
        self.num_moved += 1
        if self._last - pts > self._jump:
            self._shift += self._last + self._step - pts
            return self._last + self._step
        # Half a step leaves room before the next frame, whose time may be right.
        return self._last + max(1, self._step // 2)
