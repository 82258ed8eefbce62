"""The things that travel between the rooms. No I/O here, no torch at import time.

Coordinates are continuous: pixel i covers [i, i+1), its centre is i + 0.5. Points are (x, y), sizes (h, w).
Matrices are float64 (2, 3) and named destination-from-source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Coverage = Literal["face", "whole_face", "head"]
FieldOrder = Literal["tff", "bff"]
"""Which lines of an interlaced frame come first in time: the upper field's (0, 2, 4 ...) or the lower one's."""
Transition = Literal["start", "cut", "dissolve", "fade"]
"""How a shot begins: with the clip, by a cut, in the middle of a dissolve, in the middle of black between two fades."""
Matrix = NDArray[np.float64]
"""(2, 3) float64 affine transform."""


def _shape(array: NDArray | None) -> str:
    return "None" if array is None else f"{array.dtype}{list(array.shape)}"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An exact presentation time."""

    pts: int
    """Ticks of `time_base`."""
    time_base: Fraction
    """Seconds per tick."""

    @property
    def seconds(self) -> float:
        """For people; never key anything on it."""
        return float(self.pts * self.time_base)


@dataclass(frozen=True, slots=True)
class ColorInfo:
    """How the samples of a clip are to be read."""

    matrix: str = "bt709"
    """"bt601", "bt709", "bt2020", "smpte240m", "fcc" or "rgb" (planes are G, B, R and need no matrix)."""
    full_range: bool = False
    """True: 0..2^n-1. False: studio range, 16..235 (luma) and 16..240 (chroma) times 2^(n-8)."""
    bit_depth: int = 8
    """Bits per sample, 8 to 16."""
    siting: str = "left"
    """Place of chroma samples, a key of `geometry.SITINGS`: "left" (MPEG-2, H.264 default), "center" (MPEG-1, JPEG),
    "topleft" (BT.2020 on discs) ..."""
    is_guessed: bool = False
    """The stream carried no matrix tag; `matrix` follows the picture size."""


def subsampled(size: tuple[int, int], shift: tuple[int, int]) -> tuple[int, int]:
    """Return an (h, w) divided by 2^shift, rounded up as all video formats do."""
    return -(-size[0] // 2 ** shift[0]), -(-size[1] // 2 ** shift[1])


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """How the three planes of a frame are stored."""

    name: str
    """FFmpeg pixel format name, e.g. "yuv420p10le"."""
    chroma_shift: tuple[int, int]
    """log2 of the chroma subsampling (vertical, horizontal): (1, 1) for 4:2:0."""

    @property
    def is_rgb(self) -> bool:
        return self.name.startswith("gbr")

    def chroma_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (h, w) of the chroma planes of a picture whose luma plane has `size`."""
        return subsampled(size, self.chroma_shift)

    @property
    def has_alpha(self) -> bool:
        """True when a fourth plane follows."""
        return self.name.startswith(("yuva", "gbrap"))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture, planes as the decoder left them."""

    planes: tuple[NDArray, ...]
    """Y, U, V (or G, B, R); each (h, w) uint8 or uint16 code values; read-only by convention. More planes (alpha) follow."""
    layout: PlaneLayout
    color: ColorInfo
    time: Timestamp
    index: int
    """Position in decoding order of presentation, from 0."""
    duration: int = 0
    """Ticks of `time.time_base`; 0 = unknown."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) px of the first plane."""
        height, width = self.planes[0].shape
        return height, width

    def __repr__(self) -> str:
        shapes = ", ".join(_shape(plane) for plane in self.planes)
        return f"Frame(#{self.index} pts={self.time.pts} {self.layout.name} [{shapes}])"


@dataclass(frozen=True, slots=True)
class Shot:
    """A run of frames between two cuts, dissolves or fades; half-open."""

    start: int
    stop: int
    transition: Transition = "cut"
    """How it begins."""

    def __contains__(self, frame: int) -> bool:
        return self.start <= frame < self.stop


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """When each frame of a clip is shown, and what it holds; row i is frame i."""

    time_base: Fraction
    """Seconds per tick."""
    pts: NDArray[np.int64]
    """(N,) ticks, rising."""
    duration: NDArray[np.int64]
    """(N,) ticks; 0 = unknown."""
    digest: NDArray[np.uint32]
    """(N,) CRC-32 over the samples of all planes: tells whether a frame that was reached by seeking is the same."""

    def __len__(self) -> int:
        return len(self.pts)

    def end_of(self, frame: int) -> Fraction:
        """Return the time (s) at which a frame ends: `end_tick_of`."""
        return self.end_tick_of(frame) * self.time_base

    def end_tick_of(self, frame: int) -> int:
        """Return when a frame ends: where the next begins, or after its duration, or a usual step (1/25 s without any)."""
        if frame + 1 < len(self):
            return int(self.pts[frame + 1])
        if duration := int(self.duration[frame]):
            return int(self.pts[frame]) + duration
        usual = int(np.median(np.diff(self.pts))) if len(self) > 1 else round(Fraction(1, 25) / self.time_base)
        return int(self.pts[frame]) + max(1, usual)

    def part(self, start: int, stop: int) -> FrameTable:
        """Return the frames [start, stop), their times counted from the first of them."""
        rows = slice(start, stop)
        return FrameTable(self.time_base, self.pts[rows] - self.pts[start], self.duration[rows], self.digest[rows])

    def __repr__(self) -> str:
        return f"FrameTable({len(self)} frames, {self.time_base} s a tick)"


FIVE = "five"
"""Landmark scheme: left eye, right eye, nose tip, left and right mouth corner, as seen in the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame. Holds no pixels."""

    frame: int
    """Frame index in its clip."""
    box: NDArray[np.float64]
    """(4,) x0, y0, x1, y1 in px of the stored (unrotated) frame."""
    score: float
    """Detector confidence, [0, 1]."""
    landmarks: NDArray[np.float64]
    """(N, 2) px of the stored frame."""
    scheme: str = FIVE
    track: int = -1
    """Number of the person's track in the clip; -1 = not tracked."""
    frame_from_canonical: Matrix | None = None
    """(2, 3) smoothed similarity from template coordinates (unit: inter-ocular distance) to the frame; None = not aligned."""
    is_interpolated: bool = False
    """The detector missed it; it bridges a gap of its track."""

    def __repr__(self) -> str:
        return f"Face(frame={self.frame} track={self.track} score={self.score:.2f} box={np.round(self.box).astype(int).tolist()})"


@dataclass(frozen=True, slots=True)
class CropSpec:
    """The only definition of a crop: stored in faceset, checkpoint and report."""

    size: int
    """Side in px."""
    coverage: Coverage = "face"
    """"face" (brows to chin), "whole_face" (forehead to below the chin) or "head"."""
    margin: float = 0.0
    """Extra room on every side, as a share of the coverage's side."""
    template: str = "five-1"
    """Name and version of the landmark template."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One aligned square crop."""

    pixels: NDArray[np.float32]
    """(3, S, S) RGB [0, 1], in the clip's own transfer curve."""
    mask: NDArray[np.float32] | None
    """(1, S, S) [0, 1], 1 = take the swapped pixel."""
    patch_from_frame: Matrix
    """(2, 3)"""

    def __repr__(self) -> str:
        return f"Patch(pixels={_shape(self.pixels)}, mask={_shape(self.mask)})"


@dataclass(frozen=True, slots=True, eq=False)
class SwapOutput:
    """What a swap model gives back for a batch of patches."""

    pixels: torch.Tensor
    """(B, 3, S, S) float32 RGB [0, 1]."""
    mask: torch.Tensor | None = field(default=None)
    """(B, 1, S, S) float32 [0, 1]; None when the network predicts none."""

    def __repr__(self) -> str:
        mask = None if self.mask is None else tuple(self.mask.shape)
        return f"SwapOutput(pixels={tuple(self.pixels.shape)}, mask={mask})"
