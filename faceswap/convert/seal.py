"""What every finished picture gets on its way to the encoders: the visible label, if one is asked for, and the watermark.

Which deliverables: the finished clip, the overlay and the raw network output carry the watermark, the matte has nothing to mark.
The label belongs to the finished clip alone. Why some clips are marked over whole frames:
docs/decisions/0031-watermark-and-safeguard.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceswap.convert import blend
from faceswap.convert.fields import channels_by_field
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.rendered import Rendered
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.encoders import ENCODERS
from faceswap.provenance.label import Label
from faceswap.provenance.watermark.embed import LumaMarker
from faceswap.provenance.watermark.payload import Payload
from faceswap.types import Frame

Extent = Literal["frame", "face"]


def extent_of(plan: ConvertPlan) -> Extent:
    """Return what of a swapped frame is marked.

    Encoders for delivery change every sample, more than the mark does: there it fills the frame, and lasts. What is kept
    without loss or for mastering is marked on the face alone: all other samples stay the source's.
    """
    if plan.config.watermark != "auto":
        return plan.config.watermark
    return "frame" if _is_for_delivery(plan.encode) else "face"


def _is_for_delivery(encode: EncodePlan) -> bool:
    row = ENCODERS.get(encode.codec)
    return row is not None and row.quality is not None and encode.options.get("crf") != "0"


@dataclass(frozen=True, slots=True)
class Seal:
    """Marks the pictures of one conversion."""

    marker: LumaMarker | None
    """None = no watermark: allowed only with a reason on record."""
    extent: Extent
    label: Label | None
    start_seconds: float
    """When the output's first frame is shown in the source."""

    @classmethod
    def of(cls, plan: ConvertPlan, start_seconds: float = 0.0) -> Seal:
        """Return the seal of a plan.

        Raises:
            UsageError: a label that cannot be drawn.
        """
        marker = None if plan.watermark_id is None else LumaMarker(Payload(plan.watermark_id))
        wish = plan.config.label_wish
        return cls(marker, extent_of(plan), Label(wish, plan.info) if wish else None, start_seconds)

    def finished(self, rendered: Rendered) -> Frame:
        """Return the frame with its faces swapped, label and mark; frames without a swap get no mark."""
        frame = rendered.frame
        if self.label is not None:
            frame = self.label.draw(frame, self.start_seconds)
        if self.marker is None or not rendered.layers:
            return frame
        return self.marker.mark(frame, None if self.extent == "frame" else swapped_share(rendered))

    def element(self, picture: Frame, rendered: Rendered) -> Frame:
        """Return the overlay or the raw output of a frame with the mark on the face."""
        if self.marker is None or not rendered.layers:
            return picture
        return self.marker.mark(picture, swapped_share(rendered))


def swapped_share(rendered: Rendered) -> NDArray[np.float32]:
    """Return how much of each luma sample is swapped: (h, w) [0, 1]; woven where fields were swapped one by one."""
    channels = channels_by_field(
        rendered, lambda part: {"A": blend.alpha_of(part.source.size, [layer.patch for layer in part.layers])}
    )
    return channels["A"]
